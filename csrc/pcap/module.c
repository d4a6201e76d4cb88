/* module.c - the module wishpy._pcap: libpcap for Python, without libwireshark. */
#include "state.h"

pcap_state *
state_of_type(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030b0000
    PyObject *module = PyType_GetModuleByDef(type, &pcap_module);
#else
    /* Python 3.10 looks at the type alone, so its bases are walked here. */
    PyObject *module = NULL;
    for (PyTypeObject *base = type; base != NULL && module == NULL; base = base->tp_base) {
        if (base->tp_flags & Py_TPFLAGS_HEAPTYPE) {
            module = PyType_GetModule(base);
            if (module == NULL) {
                PyErr_Clear();
            } else if (PyModule_GetDef(module) != &pcap_module) {
                module = NULL;
            }
        }
    }
    if (module == NULL) {
        PyErr_SetString(PyExc_SystemError, "not a type of wishpy._pcap");
    }
#endif
    return module == NULL ? NULL : state_of_module(module);
}

int
add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **slot)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (type == NULL) {
        return -1;
    }
    *slot = (PyTypeObject *)type;   /* the state owns it */
    return PyModule_AddType(module, *slot);
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    pcap_state *state = state_of_module(module);
    Py_VISIT(state->CapturerType);
    Py_VISIT(state->RawPacketType);
    Py_VISIT(state->PacketHeaderType);
    Py_VISIT(state->CaptureStatsType);
    Py_VISIT(state->ReaderType);
    Py_VISIT(state->DumperType);
    Py_VISIT(state->PkthdrType);
    Py_VISIT(state->BPFProgramType);
    Py_VISIT(state->PcapError);
    Py_VISIT(state->BPFError);
    return wp_error_classes_traverse(&state->errors, visit, arg);
}

static int
module_clear(PyObject *module)
{
    pcap_state *state = state_of_module(module);
    wp_error_classes_clear(&state->errors);
    Py_CLEAR(state->CapturerType);
    Py_CLEAR(state->RawPacketType);
    Py_CLEAR(state->PacketHeaderType);
    Py_CLEAR(state->CaptureStatsType);
    Py_CLEAR(state->ReaderType);
    Py_CLEAR(state->DumperType);
    Py_CLEAR(state->PkthdrType);
    Py_CLEAR(state->BPFProgramType);
    Py_CLEAR(state->PcapError);
    Py_CLEAR(state->BPFError);
    Py_CLEAR(state->empty_bytes);
    return 0;
}

static void
module_free(void *module)
{
    module_clear((PyObject *)module);
}

/* pcapy's two exceptions: under wishpy.Error, and apart from each other as in pcapy. */
static int
add_pcapy_errors(PyObject *module, pcap_state *state)
{
    PyObject *base = state->errors.classes[WP_ELIBRARY];
    state->PcapError = PyErr_NewExceptionWithDoc(
        "wishpy.pcapy.PcapError", "libpcap could not do it; the text is libpcap's own.", base, NULL);
    if (state->PcapError == NULL || PyModule_AddObjectRef(module, "PcapError", state->PcapError) < 0) {
        return -1;
    }
    state->BPFError = PyErr_NewExceptionWithDoc(
        "wishpy.pcapy.BPFError", "A BPF program could not be made.", base, NULL);
    if (state->BPFError == NULL) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "BPFError", state->BPFError);
}

PyObject *
pcapy_raise(pcap_state *state, wp_status status, const wp_error *error)
{
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (status == WP_EMEMORY) {
        return PyErr_NoMemory();
    }
    PyObject *text = PyUnicode_DecodeUTF8(error->message, (Py_ssize_t)strlen(error->message), "replace");
    if (text != NULL) {
        PyErr_SetObject(status == WP_EVALUE ? PyExc_ValueError : state->PcapError, text);
        Py_DECREF(text);
    }
    return NULL;
}

static int
module_exec(PyObject *module)
{
    pcap_state *state = state_of_module(module);
    if (wp_error_classes_load(&state->errors) < 0 || add_pcapy_errors(module, state) < 0) {
        return -1;
    }
    state->empty_bytes = PyBytes_FromStringAndSize(NULL, 0);
    if (state->empty_bytes == NULL) {
        return -1;
    }
    int (*const add[])(PyObject *) = {
        raw_packet_add, capturer_add, interfaces_add, pcapy_pkthdr_add, pcapy_dumper_add,
        pcapy_bpf_add, pcapy_reader_add, pcapy_functions_add, pcapy_constants_add,
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(add); i++) {
        if (add[i](module) < 0) {
            return -1;
        }
    }
    return PyModule_AddStringConstant(module, "libpcap_version", pcap_lib_version());
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

PyDoc_STRVAR(module__doc__, "libpcap for Python: what wishpy.Capturer and wishpy.pcapy stand on.");

struct PyModuleDef pcap_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "wishpy._pcap",
    .m_doc = module__doc__,
    .m_size = sizeof(pcap_state),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__pcap(void)
{
    return PyModuleDef_Init(&pcap_module);
}
