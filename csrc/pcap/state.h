/* state.h - what the module wishpy._pcap keeps, and what its files know of each other.
 * The GIL is held in all of these. */
#ifndef WISHPY_PCAP_STATE_H
#define WISHPY_PCAP_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "../common/errors.h"
#include "../engine/source_live.h"

typedef struct {
    wp_error_classes errors;
    PyTypeObject *CapturerType;      /* all owned */
    PyTypeObject *RawPacketType;
    PyTypeObject *PacketHeaderType;
    PyTypeObject *CaptureStatsType;
    PyTypeObject *ReaderType;
    PyTypeObject *DumperType;
    PyTypeObject *PkthdrType;
    PyTypeObject *BPFProgramType;
    PyObject *PcapError;
    PyObject *BPFError;
    PyObject *empty_bytes;
} pcap_state;

extern struct PyModuleDef pcap_module;

static inline pcap_state *
state_of_module(PyObject *module)
{
    return (pcap_state *)PyModule_GetState(module);
}

/* The type is this module's, or derives from one of its. NULL with an exception otherwise. */
pcap_state *state_of_type(PyTypeObject *type);

/* Each adds its types or functions to the module. 0, or -1 with an exception. */
int capturer_add(PyObject *module);
int raw_packet_add(PyObject *module);
int interfaces_add(PyObject *module);
int pcapy_pkthdr_add(PyObject *module);
int pcapy_dumper_add(PyObject *module);
int pcapy_bpf_add(PyObject *module);
int pcapy_reader_add(PyObject *module);
int pcapy_functions_add(PyObject *module);
int pcapy_constants_add(PyObject *module);

/* Makes a type, keeps it in *slot (owned) and adds it to the module. */
int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **slot);

/* raw_packet.c */
PyObject *raw_packet_new(pcap_state *state, const wp_record *record, PyObject *interface);
PyObject *packet_header_new(pcap_state *state, const wp_record *record, PyObject *interface);

/* pcapy_pkthdr.c */
PyObject *pkthdr_new(pcap_state *state, const struct pcap_pkthdr *header);
/* Fills *header from a Pkthdr; -1 with TypeError for anything else. */
int pkthdr_get(pcap_state *state, PyObject *object, struct pcap_pkthdr *header);

/* pcapy_bpf.c: steals the program, also on failure. */
PyObject *bpf_program_new(pcap_state *state, struct bpf_program *program);
/* pcapy_dumper.c: takes the dumper, also on failure. */
PyObject *dumper_new(pcap_state *state, pcap_dumper_t *dumper);

/* PcapError with the error's text; ValueError for WP_EVALUE, MemoryError for WP_EMEMORY. Returns NULL. */
PyObject *pcapy_raise(pcap_state *state, wp_status status, const wp_error *error);

#endif
