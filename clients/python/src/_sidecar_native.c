/* Fires sidecar's markers for Python. No state of its own, so that every interpreter of a process may load it; no
 * function raises: what can't be told is left out.
 *
 * A call while nobody listens is the price of a call from Python, some 50 ns: ask `enabled` before arguments are made.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>

#include "sidecar.h"

/* A string argument: its text, and who keeps it. */
struct text {
    const char *chars;
    Py_ssize_t length;
    PyObject *owner;
};

/* The text of a str, bytes, or anything that can be shown; None, and what can't be shown, is no text. Lone surrogates
 * are written as escapes. */
static struct text text_of(PyObject *object)
{
    struct text text = {NULL, 0, NULL};
    if (object == NULL || object == Py_None) {
        return text;
    }
    if (PyBytes_Check(object)) {
        text.chars = PyBytes_AS_STRING(object);
        text.length = PyBytes_GET_SIZE(object);
        return text;
    }
    PyObject *shown = PyUnicode_Check(object) ? object : PyObject_Str(object);
    if (shown == object) {
        Py_INCREF(shown);
    }
    if (shown != NULL) {
        text.owner = shown;
        text.chars = PyUnicode_AsUTF8AndSize(shown, &text.length);
        if (text.chars == NULL) {
            PyErr_Clear();
            text.owner = PyUnicode_AsEncodedString(shown, "utf-8", "backslashreplace");
            Py_DECREF(shown);
            if (text.owner != NULL) {
                text.chars = PyBytes_AS_STRING(text.owner);
                text.length = PyBytes_GET_SIZE(text.owner);
            }
        }
    }
    PyErr_Clear();
    return text;
}

static void forget(struct text *text)
{
    Py_XDECREF(text->owner);
}

/* A whole number of 32 bits; what is none is 0. */
static uint32_t number_of(PyObject *object)
{
    if (object == NULL || !PyLong_Check(object)) {
        return 0;
    }
    unsigned long value = PyLong_AsUnsignedLong(object);
    if (PyErr_Occurred() != NULL) {
        PyErr_Clear();
        return 0;
    }
    return value > UINT32_MAX ? 0 : (uint32_t)value;
}

/* Seconds as nanoseconds; what is no time (not a number, NaN, negative) is 0. */
static uint64_t nanoseconds_of(PyObject *object)
{
    double seconds = object == NULL ? 0.0 : PyFloat_AsDouble(object);
    if (PyErr_Occurred() != NULL) {
        PyErr_Clear();
        return 0;
    }
    if (!(seconds > 0.0)) {
        return 0;
    }
    double most = 9.2e9; /* 292 years */
    return (uint64_t)((seconds < most ? seconds : most) * 1e9 + 0.5);
}

static PyObject *argument(PyObject *const *arguments, Py_ssize_t count, Py_ssize_t index)
{
    return index < count ? arguments[index] : NULL;
}

PyDoc_STRVAR(enabled_doc, "enabled(marker)\n--\n\nWhether somebody listens to this marker: 0 test_start, 1 test_end, "
                          "2 event, 3 anomaly.");

static PyObject *native_enabled(PyObject *module, PyObject *marker)
{
    (void)module;
    long number = PyLong_AsLong(marker);
    /* A larger number would be another marker's once it is cut to 32 bits. */
    if (number < 0 || number > SIDECAR_MARKER_ANOMALY) {
        PyErr_Clear();
        Py_RETURN_FALSE;
    }
    return PyBool_FromLong(sidecar_enabled((uint32_t)number));
}

PyDoc_STRVAR(listening_doc, "listening()\n--\n\nWhether somebody listens to the ends of tests.");

static PyObject *native_listening(PyObject *module, PyObject *nothing)
{
    (void)module;
    (void)nothing;
    return PyBool_FromLong(sidecar_enabled(SIDECAR_MARKER_TEST_END));
}

PyDoc_STRVAR(test_start_doc, "test_start(run_id, test_id, suite=None, attempt=1)\n--\n\nA test, or an attempt of it, "
                             "starts. Whether somebody listens.");

static PyObject *native_test_start(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (!sidecar_enabled(SIDECAR_MARKER_TEST_START)) {
        Py_RETURN_FALSE;
    }
    struct text run = text_of(argument(arguments, count, 0));
    struct text test = text_of(argument(arguments, count, 1));
    struct text suite = text_of(argument(arguments, count, 2));
    uint32_t attempt = count > 3 ? number_of(arguments[3]) : 1;
    sidecar_test_start(sidecar_key(run.chars, test.chars), test.chars, run.chars, suite.chars, attempt);
    forget(&run);
    forget(&test);
    forget(&suite);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(test_end_doc, "test_end(run_id, test_id, status, seconds, message=None, attempt=1)\n--\n\nA test, or an "
                           "attempt of it, has ended. status: the number of sidecar.h. Whether somebody listens.");

static PyObject *native_test_end(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (!sidecar_enabled(SIDECAR_MARKER_TEST_END)) {
        Py_RETURN_FALSE;
    }
    struct text run = text_of(argument(arguments, count, 0));
    struct text test = text_of(argument(arguments, count, 1));
    uint32_t status = number_of(argument(arguments, count, 2));
    uint64_t took = nanoseconds_of(argument(arguments, count, 3));
    struct text message = text_of(argument(arguments, count, 4));
    uint32_t attempt = count > 5 ? number_of(arguments[5]) : 1;
    sidecar_test_end(sidecar_key(run.chars, test.chars), test.chars, status, took, message.chars, attempt);
    forget(&run);
    forget(&test);
    forget(&message);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(event_doc, "event(run_id, test_id, event_type, data=None)\n--\n\nSomething of the program's own happened. "
                        "data: str or bytes. Whether somebody listens.");

static PyObject *native_event(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (!sidecar_enabled(SIDECAR_MARKER_EVENT)) {
        Py_RETURN_FALSE;
    }
    struct text run = text_of(argument(arguments, count, 0));
    struct text test = text_of(argument(arguments, count, 1));
    struct text type = text_of(argument(arguments, count, 2));
    struct text data = text_of(argument(arguments, count, 3));
    sidecar_event(sidecar_key(run.chars, test.chars), type.chars, test.chars, run.chars, data.chars,
                  (size_t)data.length);
    forget(&run);
    forget(&test);
    forget(&type);
    forget(&data);
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(anomaly_doc, "anomaly(signal, kind)\n--\n\nMore of this signal should be kept for a while. Whether "
                          "somebody listens.");

static PyObject *native_anomaly(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    (void)module;
    if (!sidecar_enabled(SIDECAR_MARKER_ANOMALY)) {
        Py_RETURN_FALSE;
    }
    struct text signal = text_of(argument(arguments, count, 0));
    struct text kind = text_of(argument(arguments, count, 1));
    sidecar_anomaly(signal.chars, kind.chars);
    forget(&signal);
    forget(&kind);
    Py_RETURN_TRUE;
}

#define FAST(name) {#name, (PyCFunction)(void (*)(void))native_##name, METH_FASTCALL, name##_doc}

static PyMethodDef methods[] = {
    {"enabled", native_enabled, METH_O, enabled_doc},
    {"listening", native_listening, METH_NOARGS, listening_doc},
    FAST(test_start),
    FAST(test_end),
    FAST(event),
    FAST(anomaly),
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    return PyModule_AddIntConstant(module, "ABI_VERSION", (long)sidecar_abi_version());
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_sidecar_native",
    .m_doc = "Fires sidecar's markers. No function raises.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__sidecar_native(void)
{
    return PyModuleDef_Init(&definition);
}
