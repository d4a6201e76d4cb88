/* pcapy_constants.c - pcapy's constants: every DLT_* that libpcap's header has, PCAP_D_*, PACKET_FANOUT_*.
 * The list is of names alone, from pcap/dlt.h; a name that the installed header lacks is left out, and one that only
 * the library knows comes in by its own name. */
#include "state.h"

#include <ctype.h>
#ifdef __linux__
#include <linux/if_packet.h>
#endif

typedef struct {
    const char *name;
    int value;
} constant;

static const constant constants[] = {
#ifdef DLT_A429
    {"DLT_A429", DLT_A429},
#endif
#ifdef DLT_A653_ICM
    {"DLT_A653_ICM", DLT_A653_ICM},
#endif
#ifdef DLT_AIRONET_HEADER
    {"DLT_AIRONET_HEADER", DLT_AIRONET_HEADER},
#endif
#ifdef DLT_AOS
    {"DLT_AOS", DLT_AOS},
#endif
#ifdef DLT_APPLE_IP_OVER_IEEE1394
    {"DLT_APPLE_IP_OVER_IEEE1394", DLT_APPLE_IP_OVER_IEEE1394},
#endif
#ifdef DLT_ARCNET
    {"DLT_ARCNET", DLT_ARCNET},
#endif
#ifdef DLT_ARCNET_LINUX
    {"DLT_ARCNET_LINUX", DLT_ARCNET_LINUX},
#endif
#ifdef DLT_ATM_CLIP
    {"DLT_ATM_CLIP", DLT_ATM_CLIP},
#endif
#ifdef DLT_ATM_RFC1483
    {"DLT_ATM_RFC1483", DLT_ATM_RFC1483},
#endif
#ifdef DLT_ATSC_ALP
    {"DLT_ATSC_ALP", DLT_ATSC_ALP},
#endif
#ifdef DLT_AURORA
    {"DLT_AURORA", DLT_AURORA},
#endif
#ifdef DLT_AX25
    {"DLT_AX25", DLT_AX25},
#endif
#ifdef DLT_AX25_KISS
    {"DLT_AX25_KISS", DLT_AX25_KISS},
#endif
#ifdef DLT_BACNET_MS_TP
    {"DLT_BACNET_MS_TP", DLT_BACNET_MS_TP},
#endif
#ifdef DLT_BLUETOOTH_BREDR_BB
    {"DLT_BLUETOOTH_BREDR_BB", DLT_BLUETOOTH_BREDR_BB},
#endif
#ifdef DLT_BLUETOOTH_HCI_H4
    {"DLT_BLUETOOTH_HCI_H4", DLT_BLUETOOTH_HCI_H4},
#endif
#ifdef DLT_BLUETOOTH_HCI_H4_WITH_PHDR
    {"DLT_BLUETOOTH_HCI_H4_WITH_PHDR", DLT_BLUETOOTH_HCI_H4_WITH_PHDR},
#endif
#ifdef DLT_BLUETOOTH_LE_LL
    {"DLT_BLUETOOTH_LE_LL", DLT_BLUETOOTH_LE_LL},
#endif
#ifdef DLT_BLUETOOTH_LE_LL_WITH_PHDR
    {"DLT_BLUETOOTH_LE_LL_WITH_PHDR", DLT_BLUETOOTH_LE_LL_WITH_PHDR},
#endif
#ifdef DLT_BLUETOOTH_LINUX_MONITOR
    {"DLT_BLUETOOTH_LINUX_MONITOR", DLT_BLUETOOTH_LINUX_MONITOR},
#endif
#ifdef DLT_CAN20B
    {"DLT_CAN20B", DLT_CAN20B},
#endif
#ifdef DLT_CAN_SOCKETCAN
    {"DLT_CAN_SOCKETCAN", DLT_CAN_SOCKETCAN},
#endif
#ifdef DLT_CHAOS
    {"DLT_CHAOS", DLT_CHAOS},
#endif
#ifdef DLT_CHDLC
    {"DLT_CHDLC", DLT_CHDLC},
#endif
#ifdef DLT_CISCO_IOS
    {"DLT_CISCO_IOS", DLT_CISCO_IOS},
#endif
#ifdef DLT_C_HDLC
    {"DLT_C_HDLC", DLT_C_HDLC},
#endif
#ifdef DLT_C_HDLC_WITH_DIR
    {"DLT_C_HDLC_WITH_DIR", DLT_C_HDLC_WITH_DIR},
#endif
#ifdef DLT_DBUS
    {"DLT_DBUS", DLT_DBUS},
#endif
#ifdef DLT_DECT
    {"DLT_DECT", DLT_DECT},
#endif
#ifdef DLT_DISPLAYPORT_AUX
    {"DLT_DISPLAYPORT_AUX", DLT_DISPLAYPORT_AUX},
#endif
#ifdef DLT_DOCSIS
    {"DLT_DOCSIS", DLT_DOCSIS},
#endif
#ifdef DLT_DOCSIS31_XRA31
    {"DLT_DOCSIS31_XRA31", DLT_DOCSIS31_XRA31},
#endif
#ifdef DLT_DSA_TAG_BRCM
    {"DLT_DSA_TAG_BRCM", DLT_DSA_TAG_BRCM},
#endif
#ifdef DLT_DSA_TAG_BRCM_PREPEND
    {"DLT_DSA_TAG_BRCM_PREPEND", DLT_DSA_TAG_BRCM_PREPEND},
#endif
#ifdef DLT_DSA_TAG_DSA
    {"DLT_DSA_TAG_DSA", DLT_DSA_TAG_DSA},
#endif
#ifdef DLT_DSA_TAG_EDSA
    {"DLT_DSA_TAG_EDSA", DLT_DSA_TAG_EDSA},
#endif
#ifdef DLT_DVB_CI
    {"DLT_DVB_CI", DLT_DVB_CI},
#endif
#ifdef DLT_EBHSCR
    {"DLT_EBHSCR", DLT_EBHSCR},
#endif
#ifdef DLT_ECONET
    {"DLT_ECONET", DLT_ECONET},
#endif
#ifdef DLT_ELEE
    {"DLT_ELEE", DLT_ELEE},
#endif
#ifdef DLT_EN10MB
    {"DLT_EN10MB", DLT_EN10MB},
#endif
#ifdef DLT_EN3MB
    {"DLT_EN3MB", DLT_EN3MB},
#endif
#ifdef DLT_ENC
    {"DLT_ENC", DLT_ENC},
#endif
#ifdef DLT_EPON
    {"DLT_EPON", DLT_EPON},
#endif
#ifdef DLT_ERF
    {"DLT_ERF", DLT_ERF},
#endif
#ifdef DLT_ERF_ETH
    {"DLT_ERF_ETH", DLT_ERF_ETH},
#endif
#ifdef DLT_ERF_POS
    {"DLT_ERF_POS", DLT_ERF_POS},
#endif
#ifdef DLT_ETHERNET_MPACKET
    {"DLT_ETHERNET_MPACKET", DLT_ETHERNET_MPACKET},
#endif
#ifdef DLT_FC_2
    {"DLT_FC_2", DLT_FC_2},
#endif
#ifdef DLT_FC_2_WITH_FRAME_DELIMS
    {"DLT_FC_2_WITH_FRAME_DELIMS", DLT_FC_2_WITH_FRAME_DELIMS},
#endif
#ifdef DLT_FDDI
    {"DLT_FDDI", DLT_FDDI},
#endif
#ifdef DLT_FLEXRAY
    {"DLT_FLEXRAY", DLT_FLEXRAY},
#endif
#ifdef DLT_FRELAY
    {"DLT_FRELAY", DLT_FRELAY},
#endif
#ifdef DLT_FRELAY_WITH_DIR
    {"DLT_FRELAY_WITH_DIR", DLT_FRELAY_WITH_DIR},
#endif
#ifdef DLT_GCOM_SERIAL
    {"DLT_GCOM_SERIAL", DLT_GCOM_SERIAL},
#endif
#ifdef DLT_GCOM_T1E1
    {"DLT_GCOM_T1E1", DLT_GCOM_T1E1},
#endif
#ifdef DLT_GPF_F
    {"DLT_GPF_F", DLT_GPF_F},
#endif
#ifdef DLT_GPF_T
    {"DLT_GPF_T", DLT_GPF_T},
#endif
#ifdef DLT_GPRS_LLC
    {"DLT_GPRS_LLC", DLT_GPRS_LLC},
#endif
#ifdef DLT_GSMTAP_ABIS
    {"DLT_GSMTAP_ABIS", DLT_GSMTAP_ABIS},
#endif
#ifdef DLT_GSMTAP_UM
    {"DLT_GSMTAP_UM", DLT_GSMTAP_UM},
#endif
#ifdef DLT_HDLC
    {"DLT_HDLC", DLT_HDLC},
#endif
#ifdef DLT_HHDLC
    {"DLT_HHDLC", DLT_HHDLC},
#endif
#ifdef DLT_HIPPI
    {"DLT_HIPPI", DLT_HIPPI},
#endif
#ifdef DLT_IBM_SN
    {"DLT_IBM_SN", DLT_IBM_SN},
#endif
#ifdef DLT_IBM_SP
    {"DLT_IBM_SP", DLT_IBM_SP},
#endif
#ifdef DLT_IEEE802
    {"DLT_IEEE802", DLT_IEEE802},
#endif
#ifdef DLT_IEEE802_11
    {"DLT_IEEE802_11", DLT_IEEE802_11},
#endif
#ifdef DLT_IEEE802_11_RADIO
    {"DLT_IEEE802_11_RADIO", DLT_IEEE802_11_RADIO},
#endif
#ifdef DLT_IEEE802_11_RADIO_AVS
    {"DLT_IEEE802_11_RADIO_AVS", DLT_IEEE802_11_RADIO_AVS},
#endif
#ifdef DLT_IEEE802_15_4
    {"DLT_IEEE802_15_4", DLT_IEEE802_15_4},
#endif
#ifdef DLT_IEEE802_15_4_LINUX
    {"DLT_IEEE802_15_4_LINUX", DLT_IEEE802_15_4_LINUX},
#endif
#ifdef DLT_IEEE802_15_4_NOFCS
    {"DLT_IEEE802_15_4_NOFCS", DLT_IEEE802_15_4_NOFCS},
#endif
#ifdef DLT_IEEE802_15_4_NONASK_PHY
    {"DLT_IEEE802_15_4_NONASK_PHY", DLT_IEEE802_15_4_NONASK_PHY},
#endif
#ifdef DLT_IEEE802_15_4_TAP
    {"DLT_IEEE802_15_4_TAP", DLT_IEEE802_15_4_TAP},
#endif
#ifdef DLT_IEEE802_15_4_WITHFCS
    {"DLT_IEEE802_15_4_WITHFCS", DLT_IEEE802_15_4_WITHFCS},
#endif
#ifdef DLT_IEEE802_16_MAC_CPS
    {"DLT_IEEE802_16_MAC_CPS", DLT_IEEE802_16_MAC_CPS},
#endif
#ifdef DLT_IEEE802_16_MAC_CPS_RADIO
    {"DLT_IEEE802_16_MAC_CPS_RADIO", DLT_IEEE802_16_MAC_CPS_RADIO},
#endif
#ifdef DLT_INFINIBAND
    {"DLT_INFINIBAND", DLT_INFINIBAND},
#endif
#ifdef DLT_IPFILTER
    {"DLT_IPFILTER", DLT_IPFILTER},
#endif
#ifdef DLT_IPMB_KONTRON
    {"DLT_IPMB_KONTRON", DLT_IPMB_KONTRON},
#endif
#ifdef DLT_IPMB_LINUX
    {"DLT_IPMB_LINUX", DLT_IPMB_LINUX},
#endif
#ifdef DLT_IPMI_HPM_2
    {"DLT_IPMI_HPM_2", DLT_IPMI_HPM_2},
#endif
#ifdef DLT_IPNET
    {"DLT_IPNET", DLT_IPNET},
#endif
#ifdef DLT_IPOIB
    {"DLT_IPOIB", DLT_IPOIB},
#endif
#ifdef DLT_IPV4
    {"DLT_IPV4", DLT_IPV4},
#endif
#ifdef DLT_IPV6
    {"DLT_IPV6", DLT_IPV6},
#endif
#ifdef DLT_IP_OVER_FC
    {"DLT_IP_OVER_FC", DLT_IP_OVER_FC},
#endif
#ifdef DLT_ISO_14443
    {"DLT_ISO_14443", DLT_ISO_14443},
#endif
#ifdef DLT_JUNIPER_ATM1
    {"DLT_JUNIPER_ATM1", DLT_JUNIPER_ATM1},
#endif
#ifdef DLT_JUNIPER_ATM2
    {"DLT_JUNIPER_ATM2", DLT_JUNIPER_ATM2},
#endif
#ifdef DLT_JUNIPER_ATM_CEMIC
    {"DLT_JUNIPER_ATM_CEMIC", DLT_JUNIPER_ATM_CEMIC},
#endif
#ifdef DLT_JUNIPER_CHDLC
    {"DLT_JUNIPER_CHDLC", DLT_JUNIPER_CHDLC},
#endif
#ifdef DLT_JUNIPER_ES
    {"DLT_JUNIPER_ES", DLT_JUNIPER_ES},
#endif
#ifdef DLT_JUNIPER_ETHER
    {"DLT_JUNIPER_ETHER", DLT_JUNIPER_ETHER},
#endif
#ifdef DLT_JUNIPER_FIBRECHANNEL
    {"DLT_JUNIPER_FIBRECHANNEL", DLT_JUNIPER_FIBRECHANNEL},
#endif
#ifdef DLT_JUNIPER_FRELAY
    {"DLT_JUNIPER_FRELAY", DLT_JUNIPER_FRELAY},
#endif
#ifdef DLT_JUNIPER_GGSN
    {"DLT_JUNIPER_GGSN", DLT_JUNIPER_GGSN},
#endif
#ifdef DLT_JUNIPER_ISM
    {"DLT_JUNIPER_ISM", DLT_JUNIPER_ISM},
#endif
#ifdef DLT_JUNIPER_MFR
    {"DLT_JUNIPER_MFR", DLT_JUNIPER_MFR},
#endif
#ifdef DLT_JUNIPER_MLFR
    {"DLT_JUNIPER_MLFR", DLT_JUNIPER_MLFR},
#endif
#ifdef DLT_JUNIPER_MLPPP
    {"DLT_JUNIPER_MLPPP", DLT_JUNIPER_MLPPP},
#endif
#ifdef DLT_JUNIPER_MONITOR
    {"DLT_JUNIPER_MONITOR", DLT_JUNIPER_MONITOR},
#endif
#ifdef DLT_JUNIPER_PIC_PEER
    {"DLT_JUNIPER_PIC_PEER", DLT_JUNIPER_PIC_PEER},
#endif
#ifdef DLT_JUNIPER_PPP
    {"DLT_JUNIPER_PPP", DLT_JUNIPER_PPP},
#endif
#ifdef DLT_JUNIPER_PPPOE
    {"DLT_JUNIPER_PPPOE", DLT_JUNIPER_PPPOE},
#endif
#ifdef DLT_JUNIPER_PPPOE_ATM
    {"DLT_JUNIPER_PPPOE_ATM", DLT_JUNIPER_PPPOE_ATM},
#endif
#ifdef DLT_JUNIPER_SERVICES
    {"DLT_JUNIPER_SERVICES", DLT_JUNIPER_SERVICES},
#endif
#ifdef DLT_JUNIPER_SRX_E2E
    {"DLT_JUNIPER_SRX_E2E", DLT_JUNIPER_SRX_E2E},
#endif
#ifdef DLT_JUNIPER_ST
    {"DLT_JUNIPER_ST", DLT_JUNIPER_ST},
#endif
#ifdef DLT_JUNIPER_VP
    {"DLT_JUNIPER_VP", DLT_JUNIPER_VP},
#endif
#ifdef DLT_JUNIPER_VS
    {"DLT_JUNIPER_VS", DLT_JUNIPER_VS},
#endif
#ifdef DLT_LAPB_WITH_DIR
    {"DLT_LAPB_WITH_DIR", DLT_LAPB_WITH_DIR},
#endif
#ifdef DLT_LAPD
    {"DLT_LAPD", DLT_LAPD},
#endif
#ifdef DLT_LIN
    {"DLT_LIN", DLT_LIN},
#endif
#ifdef DLT_LINUX_EVDEV
    {"DLT_LINUX_EVDEV", DLT_LINUX_EVDEV},
#endif
#ifdef DLT_LINUX_IRDA
    {"DLT_LINUX_IRDA", DLT_LINUX_IRDA},
#endif
#ifdef DLT_LINUX_LAPD
    {"DLT_LINUX_LAPD", DLT_LINUX_LAPD},
#endif
#ifdef DLT_LINUX_PPP_WITHDIRECTION
    {"DLT_LINUX_PPP_WITHDIRECTION", DLT_LINUX_PPP_WITHDIRECTION},
#endif
#ifdef DLT_LINUX_SLL
    {"DLT_LINUX_SLL", DLT_LINUX_SLL},
#endif
#ifdef DLT_LINUX_SLL2
    {"DLT_LINUX_SLL2", DLT_LINUX_SLL2},
#endif
#ifdef DLT_LOOP
    {"DLT_LOOP", DLT_LOOP},
#endif
#ifdef DLT_LORATAP
    {"DLT_LORATAP", DLT_LORATAP},
#endif
#ifdef DLT_LTALK
    {"DLT_LTALK", DLT_LTALK},
#endif
#ifdef DLT_MFR
    {"DLT_MFR", DLT_MFR},
#endif
#ifdef DLT_MOST
    {"DLT_MOST", DLT_MOST},
#endif
#ifdef DLT_MPEG_2_TS
    {"DLT_MPEG_2_TS", DLT_MPEG_2_TS},
#endif
#ifdef DLT_MPLS
    {"DLT_MPLS", DLT_MPLS},
#endif
#ifdef DLT_MTP2
    {"DLT_MTP2", DLT_MTP2},
#endif
#ifdef DLT_MTP2_WITH_PHDR
    {"DLT_MTP2_WITH_PHDR", DLT_MTP2_WITH_PHDR},
#endif
#ifdef DLT_MTP3
    {"DLT_MTP3", DLT_MTP3},
#endif
#ifdef DLT_MUX27010
    {"DLT_MUX27010", DLT_MUX27010},
#endif
#ifdef DLT_NETANALYZER
    {"DLT_NETANALYZER", DLT_NETANALYZER},
#endif
#ifdef DLT_NETANALYZER_TRANSPARENT
    {"DLT_NETANALYZER_TRANSPARENT", DLT_NETANALYZER_TRANSPARENT},
#endif
#ifdef DLT_NETLINK
    {"DLT_NETLINK", DLT_NETLINK},
#endif
#ifdef DLT_NFC_LLCP
    {"DLT_NFC_LLCP", DLT_NFC_LLCP},
#endif
#ifdef DLT_NFLOG
    {"DLT_NFLOG", DLT_NFLOG},
#endif
#ifdef DLT_NG40
    {"DLT_NG40", DLT_NG40},
#endif
#ifdef DLT_NORDIC_BLE
    {"DLT_NORDIC_BLE", DLT_NORDIC_BLE},
#endif
#ifdef DLT_NULL
    {"DLT_NULL", DLT_NULL},
#endif
#ifdef DLT_OPENFLOW
    {"DLT_OPENFLOW", DLT_OPENFLOW},
#endif
#ifdef DLT_OPENVIZSLA
    {"DLT_OPENVIZSLA", DLT_OPENVIZSLA},
#endif
#ifdef DLT_PCI_EXP
    {"DLT_PCI_EXP", DLT_PCI_EXP},
#endif
#ifdef DLT_PFLOG
    {"DLT_PFLOG", DLT_PFLOG},
#endif
#ifdef DLT_PFSYNC
    {"DLT_PFSYNC", DLT_PFSYNC},
#endif
#ifdef DLT_PKTAP
    {"DLT_PKTAP", DLT_PKTAP},
#endif
#ifdef DLT_PPI
    {"DLT_PPI", DLT_PPI},
#endif
#ifdef DLT_PPP
    {"DLT_PPP", DLT_PPP},
#endif
#ifdef DLT_PPP_BSDOS
    {"DLT_PPP_BSDOS", DLT_PPP_BSDOS},
#endif
#ifdef DLT_PPP_ETHER
    {"DLT_PPP_ETHER", DLT_PPP_ETHER},
#endif
#ifdef DLT_PPP_PPPD
    {"DLT_PPP_PPPD", DLT_PPP_PPPD},
#endif
#ifdef DLT_PPP_SERIAL
    {"DLT_PPP_SERIAL", DLT_PPP_SERIAL},
#endif
#ifdef DLT_PPP_WITH_DIR
    {"DLT_PPP_WITH_DIR", DLT_PPP_WITH_DIR},
#endif
#ifdef DLT_PPP_WITH_DIRECTION
    {"DLT_PPP_WITH_DIRECTION", DLT_PPP_WITH_DIRECTION},
#endif
#ifdef DLT_PRISM_HEADER
    {"DLT_PRISM_HEADER", DLT_PRISM_HEADER},
#endif
#ifdef DLT_PROFIBUS_DL
    {"DLT_PROFIBUS_DL", DLT_PROFIBUS_DL},
#endif
#ifdef DLT_PRONET
    {"DLT_PRONET", DLT_PRONET},
#endif
#ifdef DLT_RAIF1
    {"DLT_RAIF1", DLT_RAIF1},
#endif
#ifdef DLT_RAW
    {"DLT_RAW", DLT_RAW},
#endif
#ifdef DLT_RDS
    {"DLT_RDS", DLT_RDS},
#endif
#ifdef DLT_REDBACK_SMARTEDGE
    {"DLT_REDBACK_SMARTEDGE", DLT_REDBACK_SMARTEDGE},
#endif
#ifdef DLT_RIO
    {"DLT_RIO", DLT_RIO},
#endif
#ifdef DLT_RTAC_SERIAL
    {"DLT_RTAC_SERIAL", DLT_RTAC_SERIAL},
#endif
#ifdef DLT_SCCP
    {"DLT_SCCP", DLT_SCCP},
#endif
#ifdef DLT_SCTP
    {"DLT_SCTP", DLT_SCTP},
#endif
#ifdef DLT_SDLC
    {"DLT_SDLC", DLT_SDLC},
#endif
#ifdef DLT_SERCOS_MONITOR
    {"DLT_SERCOS_MONITOR", DLT_SERCOS_MONITOR},
#endif
#ifdef DLT_SITA
    {"DLT_SITA", DLT_SITA},
#endif
#ifdef DLT_SLIP
    {"DLT_SLIP", DLT_SLIP},
#endif
#ifdef DLT_SLIP_BSDOS
    {"DLT_SLIP_BSDOS", DLT_SLIP_BSDOS},
#endif
#ifdef DLT_STANAG_5066_D_PDU
    {"DLT_STANAG_5066_D_PDU", DLT_STANAG_5066_D_PDU},
#endif
#ifdef DLT_SUNATM
    {"DLT_SUNATM", DLT_SUNATM},
#endif
#ifdef DLT_SYMANTEC_FIREWALL
    {"DLT_SYMANTEC_FIREWALL", DLT_SYMANTEC_FIREWALL},
#endif
#ifdef DLT_TI_LLN_SNIFFER
    {"DLT_TI_LLN_SNIFFER", DLT_TI_LLN_SNIFFER},
#endif
#ifdef DLT_TZSP
    {"DLT_TZSP", DLT_TZSP},
#endif
#ifdef DLT_USB
    {"DLT_USB", DLT_USB},
#endif
#ifdef DLT_USBPCAP
    {"DLT_USBPCAP", DLT_USBPCAP},
#endif
#ifdef DLT_USB_2_0
    {"DLT_USB_2_0", DLT_USB_2_0},
#endif
#ifdef DLT_USB_DARWIN
    {"DLT_USB_DARWIN", DLT_USB_DARWIN},
#endif
#ifdef DLT_USB_FREEBSD
    {"DLT_USB_FREEBSD", DLT_USB_FREEBSD},
#endif
#ifdef DLT_USB_LINUX
    {"DLT_USB_LINUX", DLT_USB_LINUX},
#endif
#ifdef DLT_USB_LINUX_MMAPPED
    {"DLT_USB_LINUX_MMAPPED", DLT_USB_LINUX_MMAPPED},
#endif
#ifdef DLT_USER0
    {"DLT_USER0", DLT_USER0},
#endif
#ifdef DLT_USER1
    {"DLT_USER1", DLT_USER1},
#endif
#ifdef DLT_USER10
    {"DLT_USER10", DLT_USER10},
#endif
#ifdef DLT_USER11
    {"DLT_USER11", DLT_USER11},
#endif
#ifdef DLT_USER12
    {"DLT_USER12", DLT_USER12},
#endif
#ifdef DLT_USER13
    {"DLT_USER13", DLT_USER13},
#endif
#ifdef DLT_USER14
    {"DLT_USER14", DLT_USER14},
#endif
#ifdef DLT_USER15
    {"DLT_USER15", DLT_USER15},
#endif
#ifdef DLT_USER2
    {"DLT_USER2", DLT_USER2},
#endif
#ifdef DLT_USER3
    {"DLT_USER3", DLT_USER3},
#endif
#ifdef DLT_USER4
    {"DLT_USER4", DLT_USER4},
#endif
#ifdef DLT_USER5
    {"DLT_USER5", DLT_USER5},
#endif
#ifdef DLT_USER6
    {"DLT_USER6", DLT_USER6},
#endif
#ifdef DLT_USER7
    {"DLT_USER7", DLT_USER7},
#endif
#ifdef DLT_USER8
    {"DLT_USER8", DLT_USER8},
#endif
#ifdef DLT_USER9
    {"DLT_USER9", DLT_USER9},
#endif
#ifdef DLT_VPP_DISPATCH
    {"DLT_VPP_DISPATCH", DLT_VPP_DISPATCH},
#endif
#ifdef DLT_VSOCK
    {"DLT_VSOCK", DLT_VSOCK},
#endif
#ifdef DLT_WATTSTOPPER_DLM
    {"DLT_WATTSTOPPER_DLM", DLT_WATTSTOPPER_DLM},
#endif
#ifdef DLT_WIHART
    {"DLT_WIHART", DLT_WIHART},
#endif
#ifdef DLT_WIRESHARK_UPPER_PDU
    {"DLT_WIRESHARK_UPPER_PDU", DLT_WIRESHARK_UPPER_PDU},
#endif
#ifdef DLT_X2E_SERIAL
    {"DLT_X2E_SERIAL", DLT_X2E_SERIAL},
#endif
#ifdef DLT_X2E_XORAYA
    {"DLT_X2E_XORAYA", DLT_X2E_XORAYA},
#endif
#ifdef DLT_ZWAVE_R1_R2
    {"DLT_ZWAVE_R1_R2", DLT_ZWAVE_R1_R2},
#endif
#ifdef DLT_ZWAVE_R3
    {"DLT_ZWAVE_R3", DLT_ZWAVE_R3},
#endif
#ifdef DLT_Z_WAVE_SERIAL
    {"DLT_Z_WAVE_SERIAL", DLT_Z_WAVE_SERIAL},
#endif
    {"PCAP_D_INOUT", PCAP_D_INOUT},
    {"PCAP_D_IN", PCAP_D_IN},
    {"PCAP_D_OUT", PCAP_D_OUT},
#ifdef PACKET_FANOUT
    {"PACKET_FANOUT_HASH", PACKET_FANOUT_HASH},
    {"PACKET_FANOUT_LB", PACKET_FANOUT_LB},
    {"PACKET_FANOUT_CPU", PACKET_FANOUT_CPU},
    {"PACKET_FANOUT_ROLLOVER", PACKET_FANOUT_ROLLOVER},
    {"PACKET_FANOUT_RND", PACKET_FANOUT_RND},
    {"PACKET_FANOUT_QM", PACKET_FANOUT_QM},
#endif
};

static int
set_number(PyObject *dict, const char *name, int value)
{
    PyObject *number = PyLong_FromLong(value);
    int status = number == NULL ? -1 : PyDict_SetItemString(dict, name, number);
    Py_XDECREF(number);
    return status;
}

/* A link type that is newer than the header: by libpcap's own name, if that can be one in Python. */
static int
set_newer(PyObject *dict, int linktype)
{
    char name[64];
    const char *text = pcap_datalink_val_to_name(linktype);
    if (text == NULL) {
        return 0;
    }
    snprintf(name, sizeof name, "DLT_%s", text);
    for (char *c = name; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c)) {
            *c = '_';
        }
    }
    return PyDict_GetItemString(dict, name) != NULL ? 0 : set_number(dict, name, linktype);
}

/* One dict, for wishpy/pcapy.py to take as its names: which there are depends on the libpcap. */
int
pcapy_constants_add(PyObject *module)
{
    PyObject *dict = PyDict_New();
    int status = dict == NULL ? -1 : 0;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(constants) && status == 0; i++) {
        status = set_number(dict, constants[i].name, constants[i].value);
    }
    for (int linktype = 0; linktype < 512 && status == 0; linktype++) {
        status = set_newer(dict, linktype);
    }
    if (status == 0) {
        status = PyModule_AddObjectRef(module, "constants", dict);
    }
    Py_XDECREF(dict);
    return status;
}
