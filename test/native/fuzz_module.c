/*
 * libFuzzer: the whole module, loaded by libpam, against a daemon that does what the input says. The folder of
 * the service files and the socket come from SALLYPORT_FUZZ_FOLDER.
 *
 *   input = u8 service | u8 conversation | step*
 *   step  = u8 what | u8 length | bytes       the last one may be cut short
 *
 * After each login: the code is one that may come, SUCCESS only when a whole RESULT says so, PAM_USER is what it
 * was, no file was left open, and nothing that was typed is in the log.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <security/pam_appl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum step { SEND, SEND_FRAME, AWAIT_FRAME, PAUSE, CLOSE, STEPS };
enum conversation { ANSWERS, ANSWERS_NOTHING, RESPONDS_WITHOUT, LEAVES_UNTOUCHED, FAILS, ANSWERS_TOO_MUCH, CONVERSATIONS };

static const char *const services[] = {"prompt", "password_and_code", "first_pass", "without_pass"};
enum { SERVICES = sizeof(services) / sizeof(services[0]) };

static const char typed[] = "s3cret-typed-answer";
static const char success[] = "\x32\x00\x04\x00\x00\x00\x00";

static const char *folder;
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
    frame[4] = (uint8_t)(0x11 + bytes[0] % 5);
    return send_all(fd, frame, 4 + length);
}

static bool await_frame(int fd) {
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    uint8_t bytes[20000];

    return poll(&entry, 1, 15) == 1 && recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0;
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

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char module[256];
    pthread_t thread;

    (void)argc;
    (void)argv;
    folder = getenv("SALLYPORT_FUZZ_FOLDER");
    must(folder != NULL);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/pam.sock", folder);
    (void)snprintf(module, sizeof(module), "%s/pam_sallyport.so", folder);
    /* Loaded for good: what libFuzzer counts in it must not go away with pam_end. */
    must(dlopen(module, RTLD_NOW | RTLD_NODELETE) != NULL);
    (void)unlink(address.sun_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listener, 16) == 0);
    must(sem_init(&begin, 0, 0) == 0 && sem_init(&done, 0, 0) == 0);
    must(pthread_create(&thread, NULL, serve, NULL) == 0);
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
    int before, code;

    if (size < 2)
        return 0;
    kind = (enum conversation)(data[1] % CONVERSATIONS);
    script = data + 2;
    script_size = size - 2;
    sent_size = 0;
    first_byte = 0;
    started = now_us();
    before = next_file();
    must(sem_post(&begin) == 0);
    must(pam_start_confdir(services[data[0] % SERVICES], "alice", &conv, folder, &pamh) == PAM_SUCCESS);
    code = pam_authenticate(pamh, 0);
    take(&done);
    check(pamh, code);
    must(pam_end(pamh, code) == PAM_SUCCESS);
    must(next_file() == before);
    return 0;
}
