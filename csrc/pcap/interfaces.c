/* interfaces.c - the interfaces that libpcap knows, with their addresses and link types. */
#include "state.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#ifdef __linux__
#include <linux/if_packet.h>
#endif

/* An address as text; None for a family that is not shown. */
static PyObject *
address_text(const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (address != NULL && address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text, sizeof text);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text, sizeof text);
#ifdef __linux__
    } else if (address != NULL && address->sa_family == AF_PACKET) {
        const struct sockaddr_ll *link = (const struct sockaddr_ll *)address;
        const unsigned char *b = link->sll_addr;
        if (link->sll_halen == 6) {
            snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
        }
#endif
    }
    if (text[0] == '\0') {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(text);
}

/* [(address, netmask, broadcast, peer), ...] */
static PyObject *
address_list(const pcap_addr_t *addresses)
{
    PyObject *list = PyList_New(0);
    for (const pcap_addr_t *a = addresses; a != NULL && list != NULL; a = a->next) {
        PyObject *text = address_text(a->addr);
        PyObject *item = NULL;
        if (text != NULL && text != Py_None) {
            item = Py_BuildValue("(ONNN)", text, address_text(a->netmask), address_text(a->broadaddr),
                                 address_text(a->dstaddr));
        }
        if (text == NULL || (text != Py_None && (item == NULL || PyList_Append(list, item) < 0))) {
            Py_CLEAR(list);
        }
        Py_XDECREF(text);
        Py_XDECREF(item);
    }
    return list;
}

PyDoc_STRVAR(list_interfaces__doc__,
"list_interfaces($module, /)\n--\n\n"
"The interfaces of this machine: a list of (name, description or None, flags, addresses), flags being libpcap's\n"
"PCAP_IF_* and each address (address, netmask, broadcast, peer), str or None.");

static PyObject *
list_interfaces(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    pcap_state *state = state_of_module(module);
    char text[PCAP_ERRBUF_SIZE] = "";
    pcap_if_t *devices = NULL;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pcap_findalldevs(&devices, text);
    Py_END_ALLOW_THREADS
    if (status != 0) {
        wp_error error;
        return wp_raise(&state->errors, wp_fail(&error, WP_ECAPTURE, "%s", text), &error, NULL);
    }
    PyObject *list = PyList_New(0);
    for (pcap_if_t *device = devices; device != NULL && list != NULL; device = device->next) {
        PyObject *item = Py_BuildValue("(szIN)", device->name, device->description, device->flags,
                                       address_list(device->addresses));
        if (item == NULL || PyList_Append(list, item) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(item);
    }
    if (devices != NULL) {
        pcap_freealldevs(devices);
    }
    return list;
}

PyDoc_STRVAR(list_linktypes__doc__,
"list_linktypes($module, interface, /)\n--\n\n"
"The link types that an interface can be captured with, as DLT numbers, its own first.\n\n"
"Opens the interface for it; raises CaptureError where that is not allowed.");

/* Opens with the smallest of buffers: only the list is wanted. */
static wp_status
read_linktypes(const char *interface, int **types, int *count, wp_error *error)
{
    wp_pcap handle;
    wp_status status = wp_pcap_init(&handle, error);
    if (status != WP_OK) {
        return status;
    }
    wp_pcap_options options = {
        .interface = interface, .snaplen = 96, .timeout_ms = 100, .buffer_size = 65536, .linktype = -1,
    };
    status = wp_pcap_open_live(&handle, &options, error);
    if (status == WP_OK) {
        *count = pcap_list_datalinks(handle.pcap, types);
        if (*count < 0) {
            status = wp_fail(error, WP_ECAPTURE, "%s: %s", interface, pcap_geterr(handle.pcap));
        }
        for (int i = 1; status == WP_OK && i < *count; i++) {
            if ((*types)[i] == pcap_datalink(handle.pcap)) {
                (*types)[i] = (*types)[0];
                (*types)[0] = pcap_datalink(handle.pcap);
            }
        }
    }
    wp_pcap_fini(&handle);
    return status;
}

static PyObject *
list_linktypes(PyObject *module, PyObject *name)
{
    pcap_state *state = state_of_module(module);
    const char *interface = PyUnicode_AsUTF8(name);
    if (interface == NULL) {
        return NULL;
    }
    int *types = NULL, count = 0;
    wp_error error;
    wp_status status;
    Py_BEGIN_ALLOW_THREADS
    status = read_linktypes(interface, &types, &count, &error);
    Py_END_ALLOW_THREADS
    if (status != WP_OK) {
        return wp_raise(&state->errors, status, &error, name);
    }
    PyObject *list = PyList_New(count);
    for (int i = 0; i < count && list != NULL; i++) {
        PyObject *number = PyLong_FromLong(types[i]);
        if (number == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, i, number);
        }
    }
    pcap_free_datalinks(types);
    return list;
}

PyDoc_STRVAR(linktype_name__doc__,
"linktype_name($module, linktype, /)\n--\n\nlibpcap's name of a DLT number, or None.");

static PyObject *
linktype_name(PyObject *Py_UNUSED(module), PyObject *number)
{
    long linktype = PyLong_AsLong(number);
    if (linktype == -1 && PyErr_Occurred()) {
        return NULL;
    }
    return Py_BuildValue("z", linktype < 0 || linktype > INT_MAX ? NULL : pcap_datalink_val_to_name((int)linktype));
}

PyDoc_STRVAR(linktype_number__doc__,
"linktype_number($module, name, /)\n--\n\nThe DLT number of libpcap's name, or None.");

static PyObject *
linktype_number(PyObject *Py_UNUSED(module), PyObject *name)
{
    const char *text = PyUnicode_AsUTF8(name);
    if (text == NULL) {
        return NULL;
    }
    int linktype = pcap_datalink_name_to_val(text);
    if (linktype < 0) {
        Py_RETURN_NONE;
    }
    return PyLong_FromLong(linktype);
}

static PyMethodDef functions[] = {
    {"list_interfaces", list_interfaces, METH_NOARGS, list_interfaces__doc__},
    {"list_linktypes", list_linktypes, METH_O, list_linktypes__doc__},
    {"linktype_name", linktype_name, METH_O, linktype_name__doc__},
    {"linktype_number", linktype_number, METH_O, linktype_number__doc__},
    {NULL, NULL, 0, NULL},
};

int
interfaces_add(PyObject *module)
{
    static const struct {
        const char *name;
        long value;
    } flags[] = {
        {"IF_LOOPBACK", PCAP_IF_LOOPBACK},
        {"IF_UP", PCAP_IF_UP},
        {"IF_RUNNING", PCAP_IF_RUNNING},
        {"IF_WIRELESS", PCAP_IF_WIRELESS},
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(flags); i++) {
        if (PyModule_AddIntConstant(module, flags[i].name, flags[i].value) < 0) {
            return -1;
        }
    }
    return PyModule_AddFunctions(module, functions);
}
