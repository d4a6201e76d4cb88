/* module.c - wishpy._epan: the module, its lock as Python sees it, its log, its behaviour around fork.
 * libwireshark itself starts at the first use of something that needs it. */
#include "worker.h"

#include <unistd.h>

#include "../engine/dump.h"
#include "../engine/library.h"
#include "../engine/registry.h"
#include "../engine/table_reader.h"

void
epan_lock(void)
{
    if (!wp_epan_try_lock()) {
        Py_BEGIN_ALLOW_THREADS
        wp_epan_lock();
        Py_END_ALLOW_THREADS
    }
}

/* ---- the log ---- */

/* At the first line, as most programs never see one, and logging takes its time to import. A NullHandler, as logging
 * asks of libraries: without it Python itself would print warnings to stderr in programs that have set up none. */
static int
get_logger(module_state *state)
{
    if (state->logger != NULL) {
        return 0;
    }
    PyObject *logging = PyImport_ImportModule("logging");
    PyObject *quiet = NULL, *added = NULL;
    if (logging != NULL) {
        state->logger = PyObject_CallMethod(logging, "getLogger", "s", "wishpy");
        quiet = PyObject_CallMethod(logging, "NullHandler", NULL);
    }
    if (state->logger != NULL && quiet != NULL) {
        added = PyObject_CallMethod(state->logger, "addHandler", "O", quiet);
    }
    const int result = added == NULL ? -1 : 0;
    if (result < 0) {
        Py_CLEAR(state->logger);
    }
    Py_XDECREF(logging);
    Py_XDECREF(quiet);
    Py_XDECREF(added);
    return result;
}

static void
log_to_python(module_state *state, const wp_log_line *line)
{
    static const int levels[] = {10, 20, 20, 30, 40};   /* logging's DEBUG, INFO, WARNING, ERROR */
    PyObject *text = PyUnicode_DecodeUTF8(line->text, (Py_ssize_t)strlen(line->text), "replace");
    PyObject *done = NULL;
    if (text != NULL) {
        done = PyObject_CallMethod(state->logger, "log", "isO", levels[line->level], "%s", text);
    }
    if (done == NULL) {
        PyErr_WriteUnraisable(state->logger);
    }
    Py_XDECREF(text);
    Py_XDECREF(done);
}

void
epan_drain_log(module_state *state)
{
    wp_log_line line;
    if (!wp_log_pending()) {
        return;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (get_logger(state) < 0) {
        PyErr_WriteUnraisable(NULL);
    }
    while (state->logger != NULL && wp_log_take(&line)) {
        log_to_python(state, &line);
    }
    PyErr_Restore(type, value, traceback);
}

int
epan_start(module_state *state)
{
    wp_error error;
    wp_status status;
    Py_BEGIN_ALLOW_THREADS
    status = wp_library_start(&error);
    Py_END_ALLOW_THREADS
    epan_drain_log(state);
    if (status != WP_OK) {
        raise_status(state, status, &error, NULL);
        return -1;
    }
    return 0;
}

/* ---- fork: the lock is held across it, so that the child's copy of epan is between two frames ---- */

static PyObject *
before_fork(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(arguments))
{
    epan_lock();
    worker_links_keep();
    wp_dump_before_fork();
    Py_RETURN_NONE;
}

static PyObject *
after_fork_in_parent(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(arguments))
{
    wp_dump_after_fork();
    wp_epan_unlock();
    Py_RETURN_NONE;
}

static PyObject *
after_fork_in_child(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(arguments))
{
    wp_dump_after_fork();
    wp_epan_lock_after_fork();
    dissector_after_fork();
    wp_table_after_fork();
    Py_RETURN_NONE;
}

static PyMethodDef fork_hooks[] = {
    {"before", before_fork, METH_NOARGS, NULL},
    {"after_in_parent", after_fork_in_parent, METH_NOARGS, NULL},
    {"after_in_child", after_fork_in_child, METH_NOARGS, NULL},
};

static int
register_fork_hooks(void)
{
    static bool registered;   /* hooks cannot be taken back, and a second import must not add more */
    if (registered) {
        return 0;
    }
    int result = -1;
    PyObject *os = PyImport_ImportModule("os");
    PyObject *function = os == NULL ? NULL : PyObject_GetAttrString(os, "register_at_fork");
    PyObject *hooks = PyDict_New();
    PyObject *empty = PyTuple_New(0);
    if (function == NULL || hooks == NULL || empty == NULL) {
        goto done;
    }
    for (size_t i = 0; i < sizeof fork_hooks / sizeof *fork_hooks; i++) {
        PyObject *hook = PyCFunction_New(&fork_hooks[i], NULL);
        if (hook == NULL || PyDict_SetItemString(hooks, fork_hooks[i].ml_name, hook) < 0) {
            Py_XDECREF(hook);
            goto done;
        }
        Py_DECREF(hook);
    }
    PyObject *called = PyObject_Call(function, empty, hooks);
    result = called == NULL ? -1 : 0;
    registered = called != NULL;
    Py_XDECREF(called);

done:
    Py_XDECREF(os);
    Py_XDECREF(function);
    Py_XDECREF(hooks);
    Py_XDECREF(empty);
    return result;
}

/* ---- module functions ---- */

static PyMethodDef module_methods[] = {
    {"_library_versions", library_versions, METH_NOARGS, library_versions__doc__},
    {"_library_plugins", library_plugins, METH_NOARGS, library_plugins__doc__},
    {"_library_features", library_features, METH_NOARGS, library_features__doc__},
    {"_choose_plugins", library_choose_plugins, METH_O, library_choose_plugins__doc__},
    {"_has_plugins", library_has_plugins, METH_NOARGS, library_has_plugins__doc__},
    {"_field_pick", field_pick, METH_O, field_pick__doc__},
    {"_field_is_plain", field_is_plain, METH_O, field_is_plain__doc__},
    {"_registry", registry_list, METH_O, registry_list__doc__},
    {"_registry_strings", registry_strings, METH_O, registry_strings__doc__},
    {"_origin_from_items", origin_unpickle, METH_O, origin_unpickle__doc__},
    {"_packet_from_block", packet_unpickle, METH_VARARGS, packet_unpickle__doc__},
    {"_field_of_packet", field_unpickle, METH_VARARGS, field_unpickle__doc__},
    {NULL, NULL, 0, NULL},
};

/* ---- the module ---- */

static int
refuse_subinterpreter(void)
{
    if (PyInterpreterState_Get() == PyInterpreterState_Main()) {
        return 0;
    }
    PyErr_SetString(PyExc_ImportError,
                    "wishpy works in the main interpreter only: libwireshark has room for one per process");
    return -1;
}

static int
check_library(void)
{
    wp_error error;
    if (wp_library_check(&error) == WP_OK) {
        return 0;
    }
    PyErr_SetString(PyExc_ImportError, error.message);
    return -1;
}

static int
module_exec(PyObject *module)
{
    module_state *state = state_of(module);
    if (refuse_subinterpreter() < 0 || check_library() < 0) {
        return -1;
    }
    if (wp_error_classes_load(&state->errors) < 0
        || (state->names = PyDict_New()) == NULL || to_python_init() < 0 || register_fork_hooks() < 0
        || PyModule_AddFunctions(module, worker_methods) < 0) {
        return -1;
    }
    return dissector_add_type(module) < 0 || packet_add_type(module) < 0 || field_add_type(module) < 0
                   || display_filter_add_type(module) < 0
                   || table_add_types(module) < 0 || origin_add_type(module) < 0 || writer_add_type(module) < 0
               ? -1
               : 0;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = state_of(module);
    wp_error_classes_traverse(&state->errors, visit, arg);
    Py_VISIT(state->DissectorType);
    Py_VISIT(state->PacketType);
    Py_VISIT(state->FieldType);
    Py_VISIT(state->DisplayFilterType);
    Py_VISIT(state->TablePlanType);
    Py_VISIT(state->TableReaderType);
    Py_VISIT(state->TableBatchType);
    Py_VISIT(state->OriginType);
    Py_VISIT(state->WriterType);
    Py_VISIT(state->names);
    Py_VISIT(state->logger);
    return 0;
}

static int
module_clear(PyObject *module)
{
    module_state *state = state_of(module);
    wp_error_classes_clear(&state->errors);
    Py_CLEAR(state->DissectorType);
    Py_CLEAR(state->PacketType);
    Py_CLEAR(state->FieldType);
    Py_CLEAR(state->DisplayFilterType);
    Py_CLEAR(state->TablePlanType);
    Py_CLEAR(state->TableReaderType);
    Py_CLEAR(state->TableBatchType);
    Py_CLEAR(state->OriginType);
    Py_CLEAR(state->WriterType);
    Py_CLEAR(state->names);
    Py_CLEAR(state->logger);
    return 0;
}

static void
module_free(void *module)
{
    module_clear(module);
    wp_json_space_free(&state_of(module)->json);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

PyModuleDef epan_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "wishpy._epan",
    .m_doc = "Wireshark's dissectors: Dissector, Packet and Field. Everything here is also found in wishpy.",
    .m_size = sizeof(module_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__epan(void)
{
    return PyModuleDef_Init(&epan_module);
}
