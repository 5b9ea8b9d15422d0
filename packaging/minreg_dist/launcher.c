/* The minreg program: Python, which runs the module minreg of the tree that this file is in.
 *
 * The tree is found by the path of this file, so it may be moved. No variable of the environment
 * and no file outside of the tree changes what Python imports ("isolated configuration",
 * https://docs.python.org/3/c-api/init_config.html).
 */

#include <Python.h>
#include <libgen.h>
#include <limits.h>
#include <unistd.h>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define LIBRARY "lib/python" TEXT(PY_MAJOR_VERSION) "." TEXT(PY_MINOR_VERSION)

static void
set_path(PyConfig *config, wchar_t **field, const char *path)
{
    PyStatus status = PyConfig_SetBytesString(config, field, path);
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }
}

static void
add_search_path(PyConfig *config, const char *path)
{
    wchar_t *decoded = Py_DecodeLocale(path, NULL);
    if (decoded == NULL) {
        Py_ExitStatusException(PyStatus_NoMemory());
    }
    PyStatus status = PyWideStringList_Append(&config->module_search_paths, decoded);
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }
    PyMem_RawFree(decoded);
}

int
main(int argc, char **argv)
{
    char program[PATH_MAX], directory[PATH_MAX], path[PATH_MAX + sizeof LIBRARY + 16];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0) {
        perror("minreg: cannot read /proc/self/exe; mount /proc");
        return 1;
    }
    program[length] = '\0';
    strcpy(directory, program);
    /* The tree is the directory above bin/. dirname() may change its argument. */
    char *tree = dirname(dirname(directory));

    PyPreConfig preconfig;
    PyPreConfig_InitIsolatedConfig(&preconfig);
    preconfig.utf8_mode = 1;
    PyStatus status = Py_PreInitialize(&preconfig);
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }

    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.parse_argv = 0;
    config.install_signal_handlers = 1;
    config.site_import = 0;
    config.write_bytecode = 0;
    config.pathconfig_warnings = 0;
    set_path(&config, &config.program_name, "minreg");
    set_path(&config, &config.executable, program);
    set_path(&config, &config.base_executable, program);
    set_path(&config, &config.prefix, tree);
    set_path(&config, &config.base_prefix, tree);
    set_path(&config, &config.exec_prefix, tree);
    set_path(&config, &config.base_exec_prefix, tree);
    set_path(&config, &config.run_module, "minreg");
    snprintf(path, sizeof path, "%s/%s", tree, LIBRARY);
    set_path(&config, &config.stdlib_dir, path);
    add_search_path(&config, path);
    snprintf(path, sizeof path, "%s/%s/site-packages", tree, LIBRARY);
    add_search_path(&config, path);
    config.module_search_paths_set = 1;
    status = PyConfig_SetBytesArgv(&config, argc, argv);
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }
    status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }
    /* As PyInstaller and cx_Freeze do: sys.executable is not a Python interpreter. */
    if (PySys_SetObject("frozen", Py_True) < 0) {
        PyErr_Print();
        return 1;
    }
    return Py_RunMain();
}
