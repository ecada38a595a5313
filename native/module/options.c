#include "options.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <security/pam_ext.h>

#ifdef SALLYPORT_FUZZING
/* A fuzzer that waited for real deadlines would try nothing else. No build that ships defines this. */
enum { TIMEOUT_UNIT_MS = 5 };
#else
enum { TIMEOUT_UNIT_MS = 1000 };
#endif

enum { TIMEOUT_MIN = 5, TIMEOUT_MAX = 600, TIMEOUT_DEFAULT = 100 };

static const char default_socket[] = "/run/sallyport/pam.sock";
static const char user_socket[] = "pam-user.sock";

/* One option: its name up to and with "=", or the whole word, and what takes its value. */
struct option_rule {
    const char *name;
    bool (*take)(struct options *options, const char *value);
};

/* Only digits: no sign, no space, not empty. */
static bool parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *number) {
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > most)
            return false;
    }
    *number = (uint32_t)value;
    return value >= least;
}

static bool take_socket(struct options *options, const char *value) {
    size_t length = strlen(value);

    if (value[0] != '/' || value[length - 1] == '/' || length >= sizeof(options->socket))
        return false;
    memcpy(options->socket, value, length + 1);
    return true;
}

/* (uid_t)-1 is what system calls use for "no uid". */
static bool take_server_uid(struct options *options, const char *value) {
    uint32_t uid = 0;

    options->has_server_uid = parse_number(value, 0, UINT32_MAX - 1, &uid);
    options->server_uid = (uid_t)uid;
    return options->has_server_uid;
}

static bool take_timeout(struct options *options, const char *value) {
    uint32_t seconds = 0;

    if (!parse_number(value, TIMEOUT_MIN, TIMEOUT_MAX, &seconds))
        return false;
    options->timeout_ms = (int)seconds * TIMEOUT_UNIT_MS;
    return true;
}

static bool take_first_factor(struct options *options, const char *value) {
    options->first_factor_passed = strcmp(value, "passed") == 0;
    return options->first_factor_passed;
}

static bool take_mode(struct options *options, enum login_mode mode) {
    if (options->mode != MODE_PROMPT)
        return false;
    options->mode = mode;
    return true;
}

static bool take_first_pass(struct options *options, const char *value) {
    (void)value;
    return take_mode(options, MODE_FIRST_PASS);
}

static bool take_password_and_code(struct options *options, const char *value) {
    (void)value;
    return take_mode(options, MODE_PASSWORD_AND_CODE);
}

static bool take_no_terminal(struct options *options, const char *value) {
    (void)value;
    options->no_terminal = true;
    return true;
}

static bool take_debug(struct options *options, const char *value) {
    (void)value;
    options->debug = true;
    return true;
}

static const struct option_rule option_rules[] = {
    {"socket=", take_socket},
    {"server_uid=", take_server_uid},
    {"timeout=", take_timeout},
    {"first_factor=", take_first_factor},
    {"use_first_pass", take_first_pass},
    /* Deprecated: what earlier releases called use_first_pass. */
    {"first_pass", take_first_pass},
    {"password_and_code", take_password_and_code},
    {"no_terminal", take_no_terminal},
    {"debug", take_debug},
};

enum { OPTION_RULES = sizeof(option_rules) / sizeof(option_rules[0]) };

static bool matches(const struct option_rule *rule, const char *word) {
    size_t length = strlen(rule->name);

    if (rule->name[length - 1] == '=')
        return strncmp(word, rule->name, length) == 0;
    return strcmp(word, rule->name) == 0;
}

/* `given` has a bit for each option that was already there. */
static bool take(struct options *options, const char *word, unsigned *given) {
    for (size_t i = 0; i < OPTION_RULES; i++) {
        if (!matches(&option_rules[i], word))
            continue;
        if ((*given & 1u << i) != 0)
            return false;
        *given |= 1u << i;
        return option_rules[i].take(options, word + strlen(option_rules[i].name));
    }
    return false;
}

/* pam-user.sock is in the directory of the root socket. */
static bool use_user_socket(struct options *options) {
    char *name = strrchr(options->socket, '/') + 1;
    size_t capacity = sizeof(options->socket) - (size_t)(name - options->socket);

    if (sizeof(user_socket) > capacity)
        return false;
    memcpy(name, user_socket, sizeof(user_socket));
    return true;
}

/*
 * Invariants:
 * - an option that is not understood ends the login: guessing could leave out a factor;
 * - only the effective uid selects the socket, so that no local user's flood keeps root from pam.sock.
 */
bool options_parse(pam_handle_t *pamh, int argc, const char **argv, uid_t euid, struct options *options) {
    unsigned given = 0;

    *options = (struct options){.timeout_ms = TIMEOUT_DEFAULT * TIMEOUT_UNIT_MS, .root = euid == 0};
    memcpy(options->socket, default_socket, sizeof(default_socket));
    for (int i = 0; i < argc; i++) {
        if (take(options, argv[i], &given))
            continue;
        pam_syslog(pamh, LOG_ERR,
                   "option \"%s\" is unknown, malformed, given twice or excluded by another; "
                   "correct the line in pam.d (login refused)",
                   argv[i]);
        return false;
    }
    if (options->root || use_user_socket(options))
        return true;
    pam_syslog(pamh, LOG_ERR, "socket=: the path of %s beside it is too long; use a shorter directory",
               user_socket);
    return false;
}
