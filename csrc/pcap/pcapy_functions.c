/* pcapy_functions.c - pcapy's functions: open_live, open_offline, create, compile, lookupdev, findalldevs.
 * libpcap's own calls are made, so that its messages stay what they were. */
#include "pcapy_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "pipe_stream.h"

static PyObject *
raise_text(pcap_state *state, const char *text)
{
    PyObject *message = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    if (message != NULL) {
        PyErr_SetObject(state->PcapError, message);
        Py_DECREF(message);
    }
    return NULL;
}

static void
look_up_net(Reader *reader, const char *device)
{
    char ignored[PCAP_ERRBUF_SIZE];
    if (pcap_lookupnet(device, &reader->net, &reader->mask, ignored) != 0) {
        reader->net = reader->mask = 0;
    }
}

PyDoc_STRVAR(open_live__doc__,
"open_live($module, device, snaplen, promisc, to_ms, /)\n--\n\n"
"Capture from an interface: a Reader. to_ms is how long next() waits, in milliseconds; 0 is for ever.");

static PyObject *
open_live(PyObject *module, PyObject *args)
{
    pcap_state *state = state_of_module(module);
    const char *device;
    int snaplen, promisc, to_ms;
    char text[PCAP_ERRBUF_SIZE] = "";
    if (!PyArg_ParseTuple(args, "siii:open_live", &device, &snaplen, &promisc, &to_ms)) {
        return NULL;
    }
    Reader *reader = reader_new(state);
    if (reader == NULL) {
        return NULL;
    }
    pcap_t *pcap;
    Py_BEGIN_ALLOW_THREADS
    look_up_net(reader, device);
    pcap = pcap_open_live(device, snaplen, promisc != 0, reader_keep_ms(to_ms), text);
    if (pcap != NULL) {
        wp_pcap_adopt(&reader->handle, pcap);
    }
    Py_END_ALLOW_THREADS
    if (pcap == NULL) {
        Py_DECREF(reader);
        return raise_text(state, text);
    }
    reader->activated = true;
    reader->timeout_ms = to_ms;
    return (PyObject *)reader;
}

PyDoc_STRVAR(create__doc__,
"create($module, device, /)\n--\n\nA Reader on which options can be set before its activate().");

static PyObject *
create(PyObject *module, PyObject *args)
{
    pcap_state *state = state_of_module(module);
    const char *device;
    wp_error error;
    if (!PyArg_ParseTuple(args, "s:create", &device)) {
        return NULL;
    }
    Reader *reader = reader_new(state);
    if (reader == NULL) {
        return NULL;
    }
    wp_status status;
    Py_BEGIN_ALLOW_THREADS
    look_up_net(reader, device);
    status = wp_pcap_create(&reader->handle, device, &error);
    Py_END_ALLOW_THREADS
    if (status != WP_OK) {
        Py_DECREF(reader);
        return pcapy_raise(state, status, &error);
    }
    return (PyObject *)reader;
}

/* A pipe: as soon as its header is there, and signals are looked at while it isn't. */
static int
open_pipe(Reader *reader, const char *path)
{
    wp_error error;
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        PyErr_Format(reader->state->PcapError, "%s: %s", path, strerror(errno));
        return -1;
    }
    wp_stream *stream = wp_pipe_stream_new(fd, !standard_input);
    if (stream == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    wp_status status = WP_AGAIN;
    while (status == WP_AGAIN) {
        Py_BEGIN_ALLOW_THREADS
        status = wp_pcap_open_stream(&reader->handle, stream, false, &error);
        Py_END_ALLOW_THREADS
        if (status == WP_AGAIN && PyErr_CheckSignals() < 0) {
            fclose(stream->file);
            stream->free(stream);
            return -1;
        }
    }
    if (status != WP_OK) {
        pcapy_raise(reader->state, status, &error);
        return -1;
    }
    return 0;
}

static int
open_file(Reader *reader, const char *path)
{
    if (wp_path_may_wait(path)) {
        return open_pipe(reader, path);
    }
    wp_error error;
    wp_status status;
    Py_BEGIN_ALLOW_THREADS
    status = wp_pcap_open_path(&reader->handle, path, false, &error);
    Py_END_ALLOW_THREADS
    if (status != WP_OK) {
        pcapy_raise(reader->state, status, &error);
        return -1;
    }
    return 0;
}

PyDoc_STRVAR(open_offline__doc__,
"open_offline($module, filename, /)\n--\n\nRead a capture file: a Reader. '-' is standard input.");

static PyObject *
open_offline(PyObject *module, PyObject *args)
{
    PyObject *path;
    if (!PyArg_ParseTuple(args, "O&:open_offline", PyUnicode_FSConverter, &path)) {
        return NULL;
    }
    Reader *reader = reader_new(state_of_module(module));
    if (reader != NULL && open_file(reader, PyBytes_AS_STRING(path)) < 0) {
        Py_CLEAR(reader);
    }
    if (reader != NULL) {
        reader->activated = true;
    }
    Py_DECREF(path);
    return (PyObject *)reader;
}

PyDoc_STRVAR(compile__doc__,
"compile($module, linktype, snaplen, filter, optimize, netmask, /)\n--\n\n"
"Compile a capture filter: a BPFProgram. Raises PcapError with libpcap's text for a bad one.");

static PyObject *
compile(PyObject *module, PyObject *args)
{
    pcap_state *state = state_of_module(module);
    int linktype, snaplen, optimize;
    unsigned int netmask;
    const char *filter;
    struct bpf_program program;
    char text[PCAP_ERRBUF_SIZE] = "";
    bool made = false;
    if (!PyArg_ParseTuple(args, "iisiI:compile", &linktype, &snaplen, &filter, &optimize, &netmask)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS   /* host names in the filter are looked up */
    pcap_t *pcap = pcap_open_dead(linktype, snaplen);
    if (pcap != NULL) {
        made = pcap_compile(pcap, &program, filter, optimize, netmask) == 0;
        snprintf(text, sizeof text, "%s", pcap_geterr(pcap));
        pcap_close(pcap);
    }
    Py_END_ALLOW_THREADS
    return made ? bpf_program_new(state, &program) : raise_text(state, text);
}

/* Their names; NULL with PcapError. */
static pcap_if_t *
find_devices(pcap_state *state, const char *none)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    pcap_if_t *devices = NULL;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = pcap_findalldevs(&devices, text);
    Py_END_ALLOW_THREADS
    if (status != 0 || devices == NULL) {
        raise_text(state, status != 0 ? text : none);
        return NULL;
    }
    return devices;
}

PyDoc_STRVAR(findalldevs__doc__,
"findalldevs($module, /)\n--\n\nThe names of the interfaces that can be captured from.");

static PyObject *
findalldevs(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    pcap_if_t *devices = find_devices(state_of_module(module), "No valid interfaces to open");
    PyObject *list = devices == NULL ? NULL : PyList_New(0);
    for (pcap_if_t *device = devices; device != NULL && list != NULL; device = device->next) {
        PyObject *name = PyUnicode_DecodeFSDefault(device->name);
        if (name == NULL || PyList_Append(list, name) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(name);
    }
    if (devices != NULL) {
        pcap_freealldevs(devices);
    }
    return list;
}

PyDoc_STRVAR(lookupdev__doc__,
"lookupdev($module, /)\n--\n\nThe name of the interface that libpcap would take: the first that is no loopback.");

static PyObject *
lookupdev(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    pcap_state *state = state_of_module(module);
    static const char none[] = "no suitable device found";   /* libpcap's words */
    pcap_if_t *devices = find_devices(state, none);
    if (devices == NULL) {
        return NULL;
    }
    PyObject *name = devices->flags & PCAP_IF_LOOPBACK ? raise_text(state, none)
                                                       : PyUnicode_DecodeFSDefault(devices->name);
    pcap_freealldevs(devices);
    return name;
}

static PyMethodDef functions[] = {
    {"open_live", open_live, METH_VARARGS, open_live__doc__},
    {"open_offline", open_offline, METH_VARARGS, open_offline__doc__},
    {"create", create, METH_VARARGS, create__doc__},
    {"compile", compile, METH_VARARGS, compile__doc__},
    {"findalldevs", findalldevs, METH_NOARGS, findalldevs__doc__},
    {"lookupdev", lookupdev, METH_NOARGS, lookupdev__doc__},
    {NULL, NULL, 0, NULL},
};

int
pcapy_functions_add(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
