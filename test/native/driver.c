/*
 * A login program for the tests of the module: driver FOLDER SERVICE USER [WORD...]
 *
 *   phase=auth|setcred|acct|open|close|chauthtok      default auth
 *   flags=N  rhost=T  ruser=T  tty=T  env=NAME=VALUE
 *   answer=HEX   the next prompt gets this; in hex, so that the text itself stands only where PAM was given it
 *   null         the next prompt gets a response without a text
 *   untouched    the next prompt gets success and no response at all, as from cron
 *   error        the next prompt fails
 *   stdin        the next prompt gets a line of standard input
 *   become=USER  before the next answer PAM_USER changes
 *   no-echo-on   prompts with echo fail, as in sshd's password method
 *   no-info      texts fail
 *   no-conv      there is no conversation function
 *   block        SIGINT and SIGQUIT are blocked, as by sudo
 *   close-std    0, 1 and 2 are closed
 *   times=N      the phase is run N times on one handle
 *   late-hello=N so many milliseconds pass between the connection and HELLO
 *
 * Each thing that happens is one line of JSON, texts in hex. A prompt without a word fails.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include <security/pam_appl.h>

/* probe.c writes its lines there too. */
enum { REPORT_FD = 200 };

struct script {
    pam_handle_t *pamh;
    char **words;
    int count;
    bool no_echo_on;
    bool no_info;
};

static void report_hex(const char *text) {
    for (; *text != '\0'; text++)
        dprintf(REPORT_FD, "%02x", (unsigned char)*text);
}

/* libpam finds these two before libc's, so that the tests see what is logged. */
void syslog(int priority, const char *format, ...);
void __syslog_chk(int priority, int flag, const char *format, ...);

static void report_log(int priority, const char *format, va_list args) {
    char *text = NULL;

    if (vasprintf(&text, format, args) < 0)
        abort();
    dprintf(REPORT_FD, "{\"event\":\"log\",\"priority\":%d,\"text\":\"", priority & 7);
    report_hex(text);
    dprintf(REPORT_FD, "\"}\n");
    free(text);
}

void syslog(int priority, const char *format, ...) {
    va_list args;

    va_start(args, format);
    report_log(priority, format, args);
    va_end(args);
}

void __syslog_chk(int priority, int flag, const char *format, ...) {
    va_list args;

    (void)flag;
    va_start(args, format);
    report_log(priority, format, args);
    va_end(args);
}

/* The module asks who listens just before it sends HELLO. */
static useconds_t late_hello;
int getsockopt(int fd, int level, int name, void *value, socklen_t *size);

int getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
    if (late_hello > 0)
        usleep(late_hello);
    return (int)syscall(SYS_getsockopt, fd, level, name, value, size);
}

static char *from_hex(const char *hex) {
    char *text = calloc(1, strlen(hex) / 2 + 1);

    for (size_t i = 0; text != NULL && hex[0] != '\0' && hex[1] != '\0'; hex += 2, i++) {
        char pair[3] = {hex[0], hex[1], '\0'};

        text[i] = (char)strtoul(pair, NULL, 16);
    }
    return text;
}

static char *read_line(void) {
    char *line = NULL;
    size_t room = 0;

    if (getline(&line, &room, stdin) < 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\n")] = '\0';
    return line;
}

static const char *value_of(const char *word, const char *name) {
    size_t length = strlen(name);

    return strncmp(word, name, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

static int give(struct pam_response **responses, char *text) {
    struct pam_response *response = calloc(1, sizeof(*response));

    if (response == NULL)
        abort();
    response->resp = text;
    *responses = response;
    return PAM_SUCCESS;
}

/* Takes the next word that says how a prompt is answered. */
static int answer(struct script *script, struct pam_response **responses) {
    while (script->count > 0) {
        const char *word = *script->words++;
        const char *value;

        script->count--;
        if ((value = value_of(word, "become")) != NULL) {
            if (pam_set_item(script->pamh, PAM_USER, value) != PAM_SUCCESS)
                abort();
        } else if ((value = value_of(word, "answer")) != NULL) {
            return give(responses, from_hex(value));
        } else if (strcmp(word, "stdin") == 0) {
            char *line = read_line();

            return line == NULL ? PAM_CONV_ERR : give(responses, line);
        } else if (strcmp(word, "null") == 0) {
            return give(responses, NULL);
        } else if (strcmp(word, "untouched") == 0) {
            return PAM_SUCCESS;
        } else if (strcmp(word, "error") == 0) {
            return PAM_CONV_ERR;
        }
    }
    return PAM_CONV_ERR;
}

static int converse(int count, const struct pam_message **messages, struct pam_response **responses, void *data) {
    struct script *script = data;

    if (count != 1)
        abort();
    dprintf(REPORT_FD, "{\"event\":\"message\",\"style\":%d,\"text\":\"", messages[0]->msg_style);
    report_hex(messages[0]->msg);
    dprintf(REPORT_FD, "\"}\n");
    switch (messages[0]->msg_style) {
    case PAM_PROMPT_ECHO_ON:
        return script->no_echo_on ? PAM_CONV_ERR : answer(script, responses);
    case PAM_PROMPT_ECHO_OFF:
        return answer(script, responses);
    default:
        return script->no_info ? PAM_CONV_ERR : PAM_SUCCESS;
    }
}

static int run_phase(pam_handle_t *pamh, const char *phase, int flags) {
    if (strcmp(phase, "setcred") == 0)
        return pam_setcred(pamh, flags);
    if (strcmp(phase, "acct") == 0)
        return pam_acct_mgmt(pamh, flags);
    if (strcmp(phase, "open") == 0)
        return pam_open_session(pamh, flags);
    if (strcmp(phase, "close") == 0)
        return pam_close_session(pamh, flags);
    if (strcmp(phase, "chauthtok") == 0)
        return pam_chauthtok(pamh, flags);
    return pam_authenticate(pamh, flags);
}

struct settings {
    const char *phase;
    int flags;
    int times;
    bool no_conv;
    bool close_std;
};

static void set_item(pam_handle_t *pamh, int item, const char *value) {
    if (value != NULL && pam_set_item(pamh, item, value) != PAM_SUCCESS)
        abort();
}

static void apply(struct script *script, struct settings *settings, const char *word) {
    const char *value;
    sigset_t set;

    set_item(script->pamh, PAM_RHOST, value_of(word, "rhost"));
    set_item(script->pamh, PAM_RUSER, value_of(word, "ruser"));
    set_item(script->pamh, PAM_TTY, value_of(word, "tty"));
    if ((value = value_of(word, "env")) != NULL && pam_putenv(script->pamh, value) != PAM_SUCCESS)
        abort();
    if ((value = value_of(word, "phase")) != NULL)
        settings->phase = value;
    if ((value = value_of(word, "flags")) != NULL)
        settings->flags = (int)strtoul(value, NULL, 0);
    if ((value = value_of(word, "times")) != NULL)
        settings->times = atoi(value);
    if ((value = value_of(word, "late-hello")) != NULL)
        late_hello = (useconds_t)strtoul(value, NULL, 10) * 1000;
    script->no_echo_on |= strcmp(word, "no-echo-on") == 0;
    script->no_info |= strcmp(word, "no-info") == 0;
    settings->no_conv |= strcmp(word, "no-conv") == 0;
    settings->close_std |= strcmp(word, "close-std") == 0;
    if (strcmp(word, "block") == 0) {
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGQUIT);
        if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
            abort();
    }
}

int main(int argc, char **argv) {
    struct script script = {.words = argv + 4, .count = argc - 4};
    struct settings settings = {.phase = "auth", .times = 1};
    struct pam_conv conv = {converse, &script};
    int code;

    if (argc < 4 || dup3(STDOUT_FILENO, REPORT_FD, O_CLOEXEC) < 0)
        return 2;
    code = pam_start_confdir(argv[2], argv[3], &conv, argv[1], &script.pamh);
    if (code != PAM_SUCCESS)
        return 2;
    for (int i = 4; i < argc; i++)
        apply(&script, &settings, argv[i]);
    conv.conv = settings.no_conv ? NULL : converse;
    if (pam_set_item(script.pamh, PAM_CONV, &conv) != PAM_SUCCESS)
        return 2;
    for (int fd = 0; settings.close_std && fd <= STDERR_FILENO; fd++)
        close(fd);
    while (settings.times-- > 0)
        code = run_phase(script.pamh, settings.phase, settings.flags);
    dprintf(REPORT_FD, "{\"event\":\"end\",\"code\":%d}\n", code);
    return pam_end(script.pamh, code) == PAM_SUCCESS ? 0 : 2;
}
