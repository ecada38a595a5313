/*
 * A PAM module that stands around the one under test and tells what that one did:
 *
 *   auth required probe.so [authtok=TEXT|authtok-length=N] [needle=HEX] MODULE OPTION...
 *
 * libpam gives PAM_AUTHTOK to modules alone and folds return codes, so only a module can see both. One line
 * of JSON goes to the driver's report: the code, PAM_AUTHTOK and PAM_USER after it, the number of open files
 * before and after, and how long it took. With needle= it looks for that text in all memory of the program.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <security/pam_ext.h>
#include <security/pam_modules.h>

enum { REPORT_FD = 200 };

typedef int entry_point(pam_handle_t *pamh, int flags, int argc, const char **argv);

static int open_files(void) {
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    if (directory == NULL)
        return -1;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static long now_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int nibble(char digit) {
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

/* The needle is never put together: it would be found where it was. */
static bool is_needle(const volatile unsigned char *at, const char *hex, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (at[i] != (nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1])))
            return false;
    return true;
}

static int find_needle(const char *hex) {
    FILE *maps = fopen("/proc/self/maps", "re");
    size_t length = strlen(hex) / 2;
    uintptr_t from, to;
    char rights[5];
    char line[512];
    int found = 0;

    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[0] != 'r' || rights[1] != 'w')
            continue;
        for (uintptr_t at = from; at + length <= to; at++)
            found += is_needle((const volatile unsigned char *)at, hex, length);
    }
    if (maps != NULL)
        fclose(maps);
    return found;
}

static void report_item(pam_handle_t *pamh, int item, const char *name) {
    const void *value = NULL;

    if (pam_get_item(pamh, item, &value) != PAM_SUCCESS || value == NULL)
        return;
    dprintf(REPORT_FD, ",\"%s\":\"", name);
    for (const unsigned char *at = value; *at != '\0'; at++)
        dprintf(REPORT_FD, "%02x", *at);
    dprintf(REPORT_FD, "\"");
}

/* A line in pam.d cannot be as long as this password. */
static void set_long_authtok(pam_handle_t *pamh, size_t length) {
    char *text = malloc(length + 1);

    if (text == NULL)
        abort();
    memset(text, 'x', length);
    text[length] = '\0';
    pam_set_item(pamh, PAM_AUTHTOK, text);
    free(text);
}

static int probe(const char *name, pam_handle_t *pamh, int flags, int argc, const char **argv) {
    const char *needle = NULL;
    entry_point *entry = NULL;
    void *module;
    long started;
    int before, code;

    for (; argc > 1 && argv[0][0] != '/'; argc--, argv++) {
        if (strncmp(argv[0], "authtok=", 8) == 0)
            pam_set_item(pamh, PAM_AUTHTOK, argv[0] + 8);
        if (strncmp(argv[0], "authtok-length=", 15) == 0)
            set_long_authtok(pamh, strtoul(argv[0] + 15, NULL, 10));
        if (strncmp(argv[0], "needle=", 7) == 0)
            needle = argv[0] + 7;
    }
    module = dlopen(argv[0], RTLD_NOW);
    if (module != NULL)
        *(void **)&entry = dlsym(module, name);
    if (entry == NULL) {
        dprintf(REPORT_FD, "{\"event\":\"broken\"}\n");
        return PAM_ABORT;
    }
    before = open_files();
    started = now_ms();
    code = entry(pamh, flags, argc - 1, argv + 1);
    dprintf(REPORT_FD, "{\"event\":\"module\",\"ms\":%ld", now_ms() - started);
    dprintf(REPORT_FD, ",\"code\":%d,\"files\":[%d,%d]", code, before, open_files());
    if (needle != NULL)
        dprintf(REPORT_FD, ",\"found\":%d", find_needle(needle));
    report_item(pamh, PAM_USER, "user");
    report_item(pamh, PAM_AUTHTOK, "authtok");
    dprintf(REPORT_FD, "}\n");
    return code;
}

#define PROBE(name)                                                                   \
    PAM_EXTERN int name(pam_handle_t *pamh, int flags, int argc, const char **argv) { \
        return probe(#name, pamh, flags, argc, argv);                                 \
    }

PROBE(pam_sm_authenticate)
PROBE(pam_sm_setcred)
PROBE(pam_sm_acct_mgmt)
PROBE(pam_sm_open_session)
PROBE(pam_sm_close_session)
PROBE(pam_sm_chauthtok)
