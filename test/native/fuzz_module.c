/*
 * libFuzzer: the whole module, loaded by libpam, against a daemon that does what the input says. The directory of
 * the service files and the socket come from SALLYPORT_FUZZ_FOLDER.
 *
 *   input = u8 service | u8 conversation | step*
 *   step  = u8 what | u8 length | bytes       the last one may be cut short
 *
 * The service "terminal" has one: a pty, whose keys the input presses too.
 *
 * After each login: the code is one that may come, SUCCESS only when a whole RESULT says so, PAM_USER is what it
 * was, no file was left open, nothing that was typed is in the log, and the terminal is as it was.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <security/pam_appl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum step { SEND, SEND_FRAME, AWAIT_FRAME, PAUSE, CLOSE, TYPE, TYPE_ANSWER, STEPS };
enum conversation { ANSWERS, ANSWERS_NOTHING, RESPONDS_WITHOUT, LEAVES_UNTOUCHED, FAILS, ANSWERS_TOO_MUCH, CONVERSATIONS };

static const char *const services[] = {"prompt", "password_and_code", "first_pass", "without_pass", "terminal"};
enum { SERVICES = sizeof(services) / sizeof(services[0]) };

static const char typed[] = "s3cret-typed-answer";
static const char success[] = "\x32\x00\x04\x00\x00\x00\x00";

static const char *directory;
/* The terminal of the process, and its settings at the beginning. */
static int master = -1;
static char terminal[64];
static struct termios before;
static int listener = -1;
static sem_t begin, done;
/* Handed to the daemon's thread between `begin` and `done`. */
static const uint8_t *script;
static size_t script_size;
/* Everything that the daemon sent. */
static uint8_t sent[1 << 16];
static size_t sent_size;
/* When the login began, and when its first byte was certainly there; 0 for never. */
static int64_t started, first_byte;
/* FIRST_FRAME_MS of the module under SALLYPORT_FUZZING. */
enum { FIRST_FRAME_US = 10000 };

static void fail(int line) {
    fprintf(stderr, "broken: line %d of the fuzzer\n", line);
    abort();
}

#define must(held) ((held) ? (void)0 : fail(__LINE__))

static int64_t now_us(void) {
    struct timespec now;

    must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void syslog(int priority, const char *format, ...);

void syslog(int priority, const char *format, ...) {
    char line[8192];
    va_list args;

    (void)priority;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    must(strstr(line, typed) == NULL);
}

static int converse(int count, const struct pam_message **messages, struct pam_response **responses, void *data) {
    enum conversation kind = *(enum conversation *)data;
    int style = messages[0]->msg_style;

    must(count == 1 && strlen(messages[0]->msg) >= 1);
    if (kind == FAILS)
        return PAM_CONV_ERR;
    if (kind == LEAVES_UNTOUCHED || style == PAM_TEXT_INFO || style == PAM_ERROR_MSG)
        return PAM_SUCCESS;
    *responses = calloc(1, sizeof(**responses));
    must(*responses != NULL);
    if (kind == ANSWERS)
        (*responses)->resp = strdup(typed);
    else if (kind == ANSWERS_NOTHING)
        (*responses)->resp = strdup("");
    else if (kind == ANSWERS_TOO_MUCH && ((*responses)->resp = calloc(1, 2000)) != NULL)
        memset((*responses)->resp, 'x', 1025);
    return PAM_SUCCESS;
}

static bool send_all(int fd, const uint8_t *bytes, size_t length) {
    if (length > sizeof(sent) - sent_size)
        return false;
    memcpy(sent + sent_size, bytes, length);
    sent_size += length;
    if (send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)length)
        return false;
    if (first_byte == 0 && length > 0)
        first_byte = now_us();
    return true;
}

/* Gives the body a header, and a type that exists. */
static bool send_frame(int fd, const uint8_t *bytes, size_t length) {
    uint8_t frame[5 + 255] = {0, 0, (uint8_t)(length >> 8), (uint8_t)length};

    if (length == 0)
        return true;
    memcpy(frame + 4, bytes, length);
    frame[4] = (uint8_t)(0x11 + bytes[0] % 6);
    return send_all(fd, frame, 4 + length);
}

static bool await_frame(int fd) {
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    uint8_t bytes[20000];

    return poll(&entry, 1, 15) == 1 && recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0;
}

/* Not before the prompt stands there, which drops what was typed ahead; what is shown has to go somewhere. */
static bool press(const void *keys, size_t length) {
    struct pollfd entry = {.fd = master, .events = POLLIN};
    char shown[4096];

    (void)poll(&entry, 1, 10);
    while (read(master, shown, sizeof(shown)) > 0)
        continue;
    return write(master, keys, length) >= 0 || errno == EAGAIN;
}

static bool take_step(int fd, enum step step, const uint8_t *bytes, size_t length) {
    switch (step) {
    case SEND:
        return send_all(fd, bytes, length);
    case SEND_FRAME:
        return send_frame(fd, bytes, length);
    case AWAIT_FRAME:
        return await_frame(fd);
    case PAUSE:
        return usleep(500) == 0;
    case TYPE:
        return press(bytes, length);
    case TYPE_ANSWER:
        return press(typed, sizeof(typed) - 1) && press("\n", 1);
    default:
        return false;
    }
}

static void play(int fd) {
    for (size_t at = 0; at + 2 <= script_size;) {
        size_t length = script[at + 1];

        if (length > script_size - at - 2)
            length = script_size - at - 2;
        if (!take_step(fd, (enum step)(script[at] % STEPS), script + at + 2, length))
            break;
        at += 2 + length;
    }
}

/* libFuzzer's own timer interrupts. */
static void take(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0)
        must(errno == EINTR);
}

static void *serve(void *unused) {
    (void)unused;
    for (;;) {
        int fd;

        take(&begin);
        do
            fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        while (fd < 0 && errno == EINTR);
        must(fd >= 0);
        play(fd);
        close(fd);
        must(sem_post(&done) == 0);
    }
    return NULL;
}

/* Standard input becomes the controlling terminal of the process. */
static void take_terminal(void) {
    int slave;

    must(setsid() >= 0 || getsid(0) == getpid());
    must(openpty(&master, &slave, terminal, NULL, NULL) == 0);
    must(ioctl(slave, TIOCSCTTY, 0) == 0 && dup2(slave, STDIN_FILENO) == STDIN_FILENO && close(slave) == 0);
    must(fcntl(master, F_SETFL, O_NONBLOCK) == 0 && fcntl(master, F_SETFD, FD_CLOEXEC) == 0);
    must(tcgetattr(STDIN_FILENO, &before) == 0);
}

/* The keys are not to end or stop the fuzzer, which sets handlers of its own once it is under way. */
static void ignore_keys(void) {
    must(signal(SIGINT, SIG_IGN) != SIG_ERR && signal(SIGQUIT, SIG_IGN) != SIG_ERR);
    must(signal(SIGTSTP, SIG_IGN) != SIG_ERR);
}

/* The settings member by member: the structure has holes. */
static void check_terminal(void) {
    struct termios now;

    must(tcgetattr(STDIN_FILENO, &now) == 0);
    must(now.c_iflag == before.c_iflag && now.c_oflag == before.c_oflag && now.c_cflag == before.c_cflag);
    must(now.c_lflag == before.c_lflag && memcmp(now.c_cc, before.c_cc, sizeof(now.c_cc)) == 0);
    must(tcflush(STDIN_FILENO, TCIOFLUSH) == 0 && tcflow(STDIN_FILENO, TCOON) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char module[256];
    pthread_t thread;
    sigset_t keys;

    (void)argc;
    (void)argv;
    directory = getenv("SALLYPORT_FUZZ_FOLDER");
    must(directory != NULL);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/pam.sock", directory);
    (void)snprintf(module, sizeof(module), "%s/pam_sallyport.so", directory);
    /* Loaded for good: what libFuzzer counts in it must not go away with pam_end. */
    must(dlopen(module, RTLD_NOW | RTLD_NODELETE) != NULL);
    take_terminal();
    (void)unlink(address.sun_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listener, 16) == 0);
    must(sem_init(&begin, 0, 0) == 0 && sem_init(&done, 0, 0) == 0);
    /* What the keys send is for the thread of the login alone. */
    must(sigfillset(&keys) == 0 && pthread_sigmask(SIG_BLOCK, &keys, &keys) == 0);
    must(pthread_create(&thread, NULL, serve, NULL) == 0);
    must(pthread_sigmask(SIG_SETMASK, &keys, NULL) == 0);
    return 0;
}

static int next_file(void) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    close(fd);
    return fd;
}

static void check(pam_handle_t *pamh, int code) {
    const void *user = NULL;

    must(pam_get_item(pamh, PAM_USER, &user) == PAM_SUCCESS && user != NULL && strcmp(user, "alice") == 0);
    switch (code) {
    case PAM_SUCCESS:
        must(memmem(sent, sent_size, success, sizeof(success) - 1) != NULL);
        break;
    case PAM_AUTHINFO_UNAVAIL:
        /* A byte that came too late is one that the module need not have seen. */
        must(first_byte == 0 || first_byte >= started + FIRST_FRAME_US);
        break;
    default:
        must(code == PAM_SYSTEM_ERR || code == PAM_PERM_DENIED || code == PAM_AUTH_ERR || code == PAM_MAXTRIES);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum conversation kind;
    struct pam_conv conv = {converse, &kind};
    pam_handle_t *pamh = NULL;
    int file, code;

    if (size < 2)
        return 0;
    kind = (enum conversation)(data[1] % CONVERSATIONS);
    script = data + 2;
    script_size = size - 2;
    sent_size = 0;
    first_byte = 0;
    ignore_keys();
    started = now_us();
    file = next_file();
    must(sem_post(&begin) == 0);
    must(pam_start_confdir(services[data[0] % SERVICES], "alice", &conv, directory, &pamh) == PAM_SUCCESS);
    if (data[0] % SERVICES == SERVICES - 1)
        must(pam_set_item(pamh, PAM_TTY, terminal) == PAM_SUCCESS);
    code = pam_authenticate(pamh, 0);
    take(&done);
    check(pamh, code);
    must(pam_end(pamh, code) == PAM_SUCCESS);
    must(next_file() == file);
    check_terminal();
    return 0;
}
