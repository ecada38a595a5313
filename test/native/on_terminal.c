/*
 * Runs a program on a terminal of its own, as an interactive shell would: on_terminal [WORD...] -- PROGRAM ARG...
 *
 *   background   the program does not get the foreground
 *   ignore=N     it ignores signal N
 *   no-stdin     its standard input is /dev/null and not the terminal
 *   other-stdin  its standard input is another terminal, whose name it is told
 *
 * An argument "tty=@" becomes "tty=/dev/pts/N", "tty=@short" becomes "tty=pts/N". The program's standard output is
 * not the terminal: what it writes there comes out of ours, whole lines at a time. Commands come line by line on standard input:
 *
 *   type HEX     these keys are pressed
 *   state        are the settings of the terminal those of the beginning, is the echo on
 *   signal N     goes to the program
 *   foreground   the program, which was stopped, gets the terminal back and is continued
 *   hangup       the terminal goes away
 *
 * What happens is one line of JSON each, texts in hex: screen, state, stopped, ended (with what is left unread).
 */
#define _GNU_SOURCE

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

struct settings {
    bool background;
    bool no_stdin;
    bool other_stdin;
    int ignored;
};

static int master = -1, slave = -1;
/* The program's standard output. */
static int report[2];
static char name[64];
static struct termios before;
static pid_t program;

static void fail(const char *what) {
    perror(what);
    exit(3);
}

static void print_hex(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        printf("%02x", (unsigned char)text[i]);
}

/* Member by member: the structure has holes. */
static bool is_same(const struct termios *now) {
    return now->c_iflag == before.c_iflag && now->c_oflag == before.c_oflag && now->c_cflag == before.c_cflag &&
           now->c_lflag == before.c_lflag && memcmp(now->c_cc, before.c_cc, sizeof(before.c_cc)) == 0;
}

static void print_settings(void) {
    struct termios now;

    if (tcgetattr(slave, &now) != 0)
        printf("\"gone\":true");
    else
        printf("\"echo\":%s,\"same\":%s", (now.c_lflag & ECHO) != 0 ? "true" : "false",
               is_same(&now) ? "true" : "false");
}

static void show_screen(int wait) {
    struct pollfd entry = {.fd = master, .events = POLLIN};
    char text[1024];

    while (master >= 0 && poll(&entry, 1, wait) > 0) {
        ssize_t length = read(master, text, sizeof(text));

        if (length <= 0)
            return;
        printf("{\"event\":\"screen\",\"text\":\"");
        print_hex(text, (size_t)length);
        printf("\"}\n");
        wait = 0;
    }
}

/* Their lines and ours must not mix. */
static void pass_report_on(void) {
    static char text[1 << 20];
    static size_t length;
    struct pollfd entry = {.fd = report[0], .events = POLLIN};
    char *end;

    while (poll(&entry, 1, 0) > 0) {
        ssize_t now = read(report[0], text + length, sizeof(text) - length);

        if (now <= 0)
            break;
        length += (size_t)now;
    }
    end = memrchr(text, '\n', length);
    if (end == NULL)
        return;
    fwrite(text, 1, (size_t)(end + 1 - text), stdout);
    fflush(stdout);
    length -= (size_t)(end + 1 - text);
    memmove(text, end + 1, length);
}

static void type(const char *hex) {
    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
        char pair[3] = {hex[0], hex[1], '\0'};
        char key = (char)strtoul(pair, NULL, 16);

        if (write(master, &key, 1) != 1)
            fail("type");
    }
}

static void obey(char *line) {
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "type ", 5) == 0) {
        type(line + 5);
    } else if (strcmp(line, "state") == 0) {
        printf("{\"event\":\"state\",");
        print_settings();
        printf("}\n");
    } else if (strncmp(line, "signal ", 7) == 0) {
        kill(program, atoi(line + 7));
    } else if (strcmp(line, "foreground") == 0) {
        tcsetpgrp(slave, program);
        kill(-program, SIGCONT);
    } else if (strcmp(line, "hangup") == 0) {
        close(master);
        master = -1;
    }
}

static int standard_input(const struct settings *settings) {
    int other_master, other;

    if (settings->no_stdin)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!settings->other_stdin)
        return slave;
    if (openpty(&other_master, &other, name, NULL, NULL) != 0)
        fail("openpty");
    return other;
}

static void run_program(const struct settings *settings, char **argv) {
    int input = standard_input(settings);

    for (char **argument = argv; *argument != NULL; argument++)
        if (strncmp(*argument, "tty=@", 5) == 0 &&
            asprintf(argument, "tty=%s", strcmp(*argument, "tty=@short") == 0 ? name + strlen("/dev/") : name) < 0)
            fail("asprintf");
    setpgid(0, 0);
    if (!settings->background && tcsetpgrp(slave, getpid()) != 0)
        fail("tcsetpgrp");
    dup2(input, STDIN_FILENO);
    dup2(report[1], STDOUT_FILENO);
    close(slave);
    close(master);
    for (int number = 1; number < NSIG; number++)
        signal(number, number == settings->ignored ? SIG_IGN : SIG_DFL);
    execv(argv[0], argv);
    fail(argv[0]);
}

static void report_end(int status) {
    char left[8192];
    struct termios raw = before;
    ssize_t length;

    show_screen(20);
    pass_report_on();
    printf("{\"event\":\"ended\",\"signal\":%d,", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    print_settings();
    tcsetpgrp(slave, getpgrp());
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(slave, TCSANOW, &raw);
    length = read(slave, left, sizeof(left));
    printf(",\"left\":\"");
    print_hex(left, length > 0 ? (size_t)length : 0);
    printf("\"}\n");
}

/* The exit status of the program, or 0 when a signal ended it: `ended` says which. */
static int serve(void) {
    struct pollfd entries[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = master, .events = POLLIN}};
    static char line[20000];
    int status = 0;

    for (;;) {
        entries[1].fd = master;
        poll(entries, 2, 5);
        show_screen(0);
        pass_report_on();
        if (entries[0].revents != 0 && fgets(line, sizeof(line), stdin) == NULL)
            kill(-program, SIGKILL);
        else if (entries[0].revents != 0)
            obey(line);
        if (waitpid(program, &status, WNOHANG | WUNTRACED) != program)
            continue;
        if (!WIFSTOPPED(status))
            break;
        tcsetpgrp(slave, getpgrp());
        printf("{\"event\":\"stopped\",");
        print_settings();
        printf("}\n");
    }
    report_end(status);
    return WIFSIGNALED(status) ? 0 : WEXITSTATUS(status);
}

int main(int argc, char **argv) {
    struct settings settings = {0};
    int at = 1;

    for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
        settings.background |= strcmp(argv[at], "background") == 0;
        settings.other_stdin |= strcmp(argv[at], "other-stdin") == 0;
        settings.no_stdin |= strcmp(argv[at], "no-stdin") == 0;
        if (strncmp(argv[at], "ignore=", 7) == 0)
            settings.ignored = atoi(argv[at] + 7);
    }
    if (at + 1 >= argc)
        return 2;
    setvbuf(stdin, NULL, _IONBF, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int number = 1; number < NSIG; number++)
        if (number == SIGTTOU || number == SIGTTIN || number == SIGHUP)
            signal(number, SIG_IGN);
    if (setsid() < 0 && getsid(0) != getpid())
        fail("setsid");
    if (openpty(&master, &slave, name, NULL, NULL) != 0 || ioctl(slave, TIOCSCTTY, 0) != 0)
        fail("openpty");
    fcntl(master, F_SETFD, FD_CLOEXEC);
    if (tcgetattr(slave, &before) != 0 || pipe2(report, O_CLOEXEC) != 0)
        fail("tcgetattr");
    program = fork();
    if (program < 0)
        fail("fork");
    if (program == 0)
        run_program(&settings, argv + at + 1);
    return serve();
}
