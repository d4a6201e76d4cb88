/* source_python.c - frames out of Python objects: what a queue or an iterable gives, read as a record.
 *
 * Items are fetched before the session is entered, outside its gate: so a queue's get() may wait with the GIL let go
 * as it always does, Ctrl-C ends it, and what an iterable raises comes out of next() as it is. */
#include "source_python.h"

#include <datetime.h>
#include <math.h>

#include "../engine/linktypes.h"

/* ---- link types ---- */

static int
raise_unknown_linktype(PyObject *given)
{
    PyObject *names = PyList_New(0);
    for (int i = 0; names != NULL && wp_linktype_nth(i) != NULL; i++) {
        PyObject *name = PyUnicode_FromString(wp_linktype_nth(i));
        if (name == NULL || PyList_Append(names, name) < 0) {
            Py_CLEAR(names);
        }
        Py_XDECREF(name);
    }
    if (names != NULL) {
        raise_unknown_name(PyExc_ValueError, "no link type is called", given, names);
        Py_DECREF(names);
    }
    return -1;
}

int
linktype_from_python(PyObject *given, int *linktype)
{
    if (given == Py_None) {
        return 0;
    }
    if (PyUnicode_Check(given)) {
        const char *name = PyUnicode_AsUTF8(given);
        const int number = name == NULL ? -1 : wp_linktype_by_name(name);
        if (number < 0) {
            return name == NULL ? -1 : raise_unknown_linktype(given);
        }
        *linktype = number;
        return 0;
    }
    if (!PyLong_Check(given)) {
        PyErr_Format(PyExc_TypeError, "linktype must be str, int or None, not %.100s", Py_TYPE(given)->tp_name);
        return -1;
    }
    const long number = PyLong_AsLong(given);
    if (number < 0 || number > INT32_MAX) {
        if (!PyErr_Occurred()) {
            PyErr_Format(PyExc_ValueError, "linktype %ld is no link type's number", number);
        }
        return -1;
    }
    *linktype = (int)number;
    return 0;
}

/* ---- times ---- */

void
python_record_set_time_ns(wp_record *record, long long time_ns)
{
    record->seconds = time_ns / 1000000000;
    record->nanoseconds = (int32_t)(time_ns % 1000000000);
    if (record->nanoseconds < 0) {
        record->nanoseconds += 1000000000;
        record->seconds--;
    }
}

/* Through integers: a float of seconds since 1970 has no room for microseconds' last digits. */
static int
set_datetime(wp_record *record, PyObject *time)
{
    int result = -1;
    PyObject *epoch = NULL, *since = NULL;
    if (!has_attribute(time, "utcoffset") || PyDateTime_DATE_GET_TZINFO(time) == Py_None) {
        PyErr_SetString(PyExc_ValueError, "time: a datetime without a time zone could be anywhere; give it one, "
                        "such as datetime.timezone.utc");
        return -1;
    }
    epoch = PyDateTimeAPI->DateTime_FromDateAndTime(1970, 1, 1, 0, 0, 0, 0, PyDateTime_TimeZone_UTC,
                                                    PyDateTimeAPI->DateTimeType);
    since = epoch == NULL ? NULL : PyNumber_Subtract(time, epoch);
    if (since != NULL) {
        record->seconds = (int64_t)PyDateTime_DELTA_GET_DAYS(since) * 86400 + PyDateTime_DELTA_GET_SECONDS(since);
        record->nanoseconds = PyDateTime_DELTA_GET_MICROSECONDS(since) * 1000;
        result = 0;
    }
    Py_XDECREF(epoch);
    Py_XDECREF(since);
    return result;
}

int
python_record_set_time(wp_record *record, PyObject *time)
{
    if (time == Py_None) {
        return 0;
    }
    if (PyDateTimeAPI == NULL) {
        PyDateTime_IMPORT;
        if (PyDateTimeAPI == NULL) {
            return -1;
        }
    }
    if (PyDateTime_Check(time)) {
        return set_datetime(record, time);
    }
    if (PyLong_Check(time)) {
        record->seconds = PyLong_AsLongLong(time);
        record->nanoseconds = 0;
        return record->seconds == -1 && PyErr_Occurred() ? -1 : 0;
    }
    if (!PyFloat_Check(time)) {
        PyErr_Format(PyExc_TypeError, "time must be datetime, int, float or None, not %.100s", Py_TYPE(time)->tp_name);
        return -1;
    }
    const double seconds = PyFloat_AS_DOUBLE(time), whole = floor(seconds);
    if (!(fabs(seconds) < 9e18)) {
        PyErr_SetString(PyExc_ValueError, "time is not a number of seconds");
        return -1;
    }
    record->seconds = (int64_t)whole;
    record->nanoseconds = (int32_t)((seconds - whole) * 1e9);
    return 0;
}

/* ---- one record ---- */

void
python_record_release(python_record *self)
{
    if (self->bytes.obj != NULL) {
        PyBuffer_Release(&self->bytes);
    }
    Py_CLEAR(self->item);
}

int
python_record_from_bytes(python_record *self, PyObject *data, int linktype)
{
    if (PyObject_GetBuffer(data, &self->bytes, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    if (self->bytes.len > INT32_MAX / 2) {
        PyErr_Format(PyExc_ValueError, "a frame of %zd bytes is longer than Wireshark can take", self->bytes.len);
        return -1;
    }
    self->record = (wp_record){
        .data = self->bytes.buf,
        .captured_length = (uint32_t)self->bytes.len,
        .length = (uint32_t)self->bytes.len,
        .nanoseconds = -1,
        .linktype = linktype,
    };
    return 0;
}

/* An integer attribute. 1: there; 0: missing or None; -1: raised. */
static int
number_of(PyObject *header, const char *name, long long *number)
{
    PyObject *value = get_attribute(header, name);
    if (value == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return -1;
        }
        PyErr_Clear();
        return 0;
    }
    int result = 0;
    if (value != Py_None) {
        *number = PyLong_AsLongLong(value);
        result = *number == -1 && PyErr_Occurred() ? -1 : 1;
    }
    Py_DECREF(value);
    return result;
}

static int
set_length(wp_record *record, long long length)
{
    if (length < 0 || length > UINT32_MAX) {
        PyErr_Format(PyExc_ValueError, "a packet of %lld bytes", length);
        return -1;
    }
    record->length = (uint32_t)length;
    return 0;
}

int
python_record_set_facts(wp_record *record, PyObject *time, PyObject *time_ns, PyObject *length)
{
    if (time != Py_None && time_ns != Py_None) {
        PyErr_SetString(PyExc_ValueError, "give time or time_ns, not both");
        return -1;
    }
    if (python_record_set_time(record, time) < 0) {
        return -1;
    }
    if (time_ns != Py_None) {
        const long long value = PyLong_AsLongLong(time_ns);
        if (value == -1 && PyErr_Occurred()) {
            return -1;
        }
        python_record_set_time_ns(record, value);
    }
    if (length != Py_None) {
        const long long value = PyLong_AsLongLong(length);
        return (value == -1 && PyErr_Occurred()) || set_length(record, value) < 0 ? -1 : 0;
    }
    return 0;
}

/* A RawPacket, a PacketHeader, a Packet: time_ns, length, linktype. 1, 0: it is none, -1. */
static int
read_own_header(wp_record *record, PyObject *header)
{
    long long time_ns = 0, length = record->length, linktype = record->linktype;
    const int timed = number_of(header, "time_ns", &time_ns);
    if (timed < 0 || number_of(header, "length", &length) < 0 || number_of(header, "linktype", &linktype) < 0) {
        return -1;
    }
    if (timed == 0 && !has_attribute(header, "time_ns")) {
        return 0;
    }
    if (timed > 0) {
        python_record_set_time_ns(record, time_ns);
    }
    record->linktype = (int)linktype;
    return set_length(record, length) < 0 ? -1 : 1;
}

static int
set_seconds(wp_record *record, long long seconds, long long microseconds)
{
    record->seconds = seconds + microseconds / 1000000;
    record->nanoseconds = (int32_t)(microseconds % 1000000) * 1000;
    if (record->nanoseconds < 0) {
        record->nanoseconds += 1000000000;
        record->seconds--;
    }
    return 1;
}

/* wishpy 0.1's PCAPHeader: dltype, ts_sec, ts_usec, len, caplen; as a named tuple, or as the plain tuple or list that
 * a serialiser makes of it. 1, 0: it is none, -1. */
static int
read_old_header(wp_record *record, PyObject *header)
{
    static const char *const names[] = {"dltype", "ts_sec", "ts_usec", "len"};
    long long values[4];
    const bool plain = (PyTuple_CheckExact(header) || PyList_Check(header)) && PySequence_Fast_GET_SIZE(header) == 5;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(names); i++) {
        if (plain) {
            values[i] = PyLong_AsLongLong(PySequence_Fast_GET_ITEM(header, (Py_ssize_t)i));
            if (values[i] == -1 && PyErr_Occurred()) {
                return -1;
            }
        } else {
            const int there = number_of(header, names[i], &values[i]);
            if (there <= 0) {
                return there;
            }
        }
    }
    record->linktype = (int)values[0];
    set_seconds(record, values[1], values[2]);
    return set_length(record, values[3]) < 0 ? -1 : 1;
}

/* pcapy's Pkthdr: getts(), getlen(). It does not know its link type. 1, 0: it is none, -1. */
static int
read_pcapy_header(wp_record *record, PyObject *header)
{
    if (!has_attribute(header, "getts")) {
        return 0;
    }
    long long seconds, microseconds;
    int result = -1;
    PyObject *ts = PyObject_CallMethod(header, "getts", NULL);
    PyObject *length = ts == NULL ? NULL : PyObject_CallMethod(header, "getlen", NULL);
    if (length != NULL && PyTuple_Check(ts) && PyArg_ParseTuple(ts, "LL", &seconds, &microseconds)) {
        set_seconds(record, seconds, microseconds);
        const long long value = PyLong_AsLongLong(length);
        result = (value == -1 && PyErr_Occurred()) || set_length(record, value) < 0 ? -1 : 1;
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "getts() of a packet header must give a tuple of two");
    }
    Py_XDECREF(ts);
    Py_XDECREF(length);
    return result;
}

static int
read_header(wp_record *record, PyObject *header)
{
    if (header == Py_None) {
        return 0;
    }
    int done = read_own_header(record, header);
    if (done == 0) {
        done = read_old_header(record, header);
    }
    if (done == 0) {
        done = read_pcapy_header(record, header);
    }
    if (done == 0) {
        PyErr_Format(PyExc_TypeError, "a packet header has time_ns, length and linktype, or dltype, ts_sec, ts_usec and "
                     "len, or getts() and getlen(); %.100s has none of these", Py_TYPE(header)->tp_name);
    }
    return done > 0 ? 0 : -1;
}

int
python_record_from_item(python_record *next, PyObject *item, int linktype)
{
    PyObject *header = Py_None, *data = item;   /* borrowed from the item */
    PyObject *attribute = NULL;
    if ((PyTuple_Check(item) || PyList_Check(item)) && PySequence_Fast_GET_SIZE(item) == 2) {
        header = PySequence_Fast_GET_ITEM(item, 0);
        data = PySequence_Fast_GET_ITEM(item, 1);
    } else if (!PyObject_CheckBuffer(item)) {
        attribute = get_attribute(item, "data");
        if (attribute == NULL) {
            if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
                PyErr_Format(PyExc_TypeError, "a packet is a RawPacket, (header, bytes) or bytes, not %.100s",
                             Py_TYPE(item)->tp_name);
            }
            return -1;
        }
        header = item;
        data = attribute;
    }
    int result = python_record_from_bytes(next, data, linktype);
    if (result == 0) {
        result = read_header(&next->record, header);
    }
    Py_XDECREF(attribute);   /* the buffer keeps its bytes */
    if (result == 0 && next->record.linktype < 0) {
        PyErr_SetString(PyExc_ValueError, "these bytes do not say what they are: give a linktype, such as "
                        "linktype='EN10MB'");
        result = -1;
    }
    return result;
}

/* ---- the source ---- */

int
python_source_open(python_source *self, PyObject *source)
{
    PyObject *get = get_attribute(source, "get");
    if (get != NULL && PyCallable_Check(get) && !PyDict_Check(source)) {
        self->get = get;
        return 1;
    }
    Py_XDECREF(get);
    if (get == NULL && !PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return -1;
    }
    PyErr_Clear();
    self->iterator = PyObject_GetIter(source);
    if (self->iterator == NULL && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        return 0;
    }
    return self->iterator == NULL ? -1 : 1;
}

int
python_source_traverse(python_source *self, visitproc visit, void *arg)
{
    Py_VISIT(self->get);
    Py_VISIT(self->iterator);
    return 0;
}

void
python_source_clear(python_source *self)
{
    Py_CLEAR(self->get);
    Py_CLEAR(self->iterator);
}

/* None, or wishpy 0.1's ('stop', anything). */
static int
is_end(PyObject *item)
{
    if (item == Py_None) {
        return 1;
    }
    if (!(PyTuple_Check(item) || PyList_Check(item)) || PySequence_Fast_GET_SIZE(item) != 2) {
        return 0;
    }
    PyObject *header = PySequence_Fast_GET_ITEM(item, 0);
    return PyUnicode_Check(header) && PyUnicode_CompareWithASCIIString(header, "stop") == 0;
}

int
python_source_next(python_source *self, python_record *next)
{
    PyObject *from = self->get != NULL ? self->get : self->iterator;
    if (from == NULL) {
        return 0;
    }
    Py_INCREF(from);   /* close() may come meanwhile */
    next->item = from == self->get ? PyObject_CallNoArgs(from) : PyIter_Next(from);
    Py_DECREF(from);
    if (next->item == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    if (is_end(next->item)) {
        python_record_release(next);
        return 0;
    }
    if (python_record_from_item(next, next->item, self->linktype) < 0) {
        python_record_release(next);
        return -1;
    }
    return 1;
}
