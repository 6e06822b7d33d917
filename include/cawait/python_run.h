/* cawait/python_run.h: programs whose main is C.
 *
 *     static caw_future *begin(PyObject *module, void *user) { ...make the future of the whole program... }
 *
 *     int main(int argc, char **argv)
 *     {
 *         caw_py_run_options options = {.argc = argc, .argv = argv};
 *         int exit_code;
 *         caw_py_run(&options, begin, NULL, &exit_code);
 *         return exit_code;
 *     }
 *
 * The interpreter is started, unless it runs already. This thread becomes its main thread, so that signals work. The
 * interpreter stays for the next call. To have its atexit functions run, call PyGILState_Ensure and then Py_FinalizeEx
 * at the end: between two runs this thread does not have the GIL.
 *
 * A loop runs until the future is ready. It is then shut down as asyncio.run and trio.run do it: what still runs is
 * cancelled, and async generators and the default executor are ended.
 */
#ifndef CAWAIT_PYTHON_RUN_H
#define CAWAIT_PYTHON_RUN_H

#include "cawait/python_api.h"

#ifndef CAW_NO_PYTHON

typedef enum caw_py_loop { CAW_PY_ASYNCIO = 0, CAW_PY_UVLOOP, CAW_PY_TRIO } caw_py_loop;

/* All zeros is asyncio, in an interpreter configured like `python`. What configures the interpreter has no effect where
 * it runs already. */
typedef struct caw_py_run_options {
    caw_py_loop loop;
    bool isolated; /* no environment variables, no user's site-packages, nothing of the working directory */
    /* The path of the python of a virtual environment, whose packages are used. NULL: that of the variable VIRTUAL_ENV,
     * if it is set and `isolated` is false; else what the library finds. A python that is not there, or an environment
     * of another version, is an error, and a sentence on stderr says so. */
    const char *python;
    int argc; /* sys.argv; none: [""] */
    char **argv;
} caw_py_run_options;

/* Ends caw_py_run_forever, from any thread. */
typedef struct caw_py_stopper caw_py_stopper;

CAW_BEGIN_DECLS

/* Run a loop until the future that `begin` makes is ready. `begin` is called in the loop, with the GIL, and with a
 * module for the functions that need one (__main__). If it returns NULL with an exception set, that exception ends the
 * run; without one it is a MemoryError.
 *
 * Returns the future's status. It is CAW_EPYTHON where a Python exception ended the future; that has been printed. It
 * is -EINTR after a Ctrl-C, which cancels the future. *exit_code, if not NULL, is what a Python program would exit
 * with: 0, 1, the code of a SystemExit, or 130 after a Ctrl-C.
 *   the main thread · no-gil, or with it · borrows(options) · fails(the future's status, CAW_EPYTHON, -EINTR; -EPERM:
 *   not the interpreter's main thread; -EBUSY: a loop runs in this thread; -ENOENT: no such python; CAW_EINVAL,
 *   CAW_ENOMEM) · runs-python */
CAW_API int caw_py_run(const caw_py_run_options *options, caw_future *(*begin)(PyObject *module, void *user),
                       void *user, int *exit_code);

/* The same for a program that goes on until it is stopped. `begin` returns 0. An error ends the run with that error;
 * with an exception set any value ends it.
 *   the main thread · no-gil, or with it · borrows(options, stopper) · fails(as caw_py_run) · runs-python */
CAW_API int caw_py_run_forever(const caw_py_run_options *options, int (*begin)(PyObject *module, void *user),
                               void *user, caw_py_stopper *stopper, int *exit_code);

/* A stopper, for one run, with one reference.
 *   any-thread · no-gil · returns-new, NULL when out of memory · quiet */
CAW_API caw_py_stopper *caw_py_stopper_new(void);

/* End the run; if it has not begun yet, it ends when it begins. A second call does nothing.
 *   any-thread · no-gil · borrows(stopper) · never fails · wakes */
CAW_API void caw_py_stopper_stop(caw_py_stopper *stopper);

/* Release the reference.
 *   any-thread · no-gil · takes(stopper) · never fails · quiet */
CAW_API void caw_py_stopper_release(caw_py_stopper *stopper);

CAW_END_DECLS

#endif
#endif
