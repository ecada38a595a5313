/*
 * Takes frames apart and puts them together for test/module/wire.test.ts:
 *   wire_tool parse FILE...      one line a file: what wire_parse found, or "refused"; truncations are tried too
 *   wire_tool hello NAME=VALUE   HELLO in hex, from its facts
 *   wire_tool answer HEX         ANSWER in hex
 *   wire_tool cancel             CANCEL in hex
 *   wire_tool withdrawn          WITHDRAWN in hex
 *   wire_tool no-room           the lengths of a frame of 24 bytes built in 0 to 31
 *   wire_tool session            the session of each cgroup text on standard input (a NUL behind each)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "wire.h"

enum { ROOM = FRAME_HEADER + FRAME_LENGTH_MAX + 1 };

static size_t from_hex(const char *text, uint8_t *bytes) {
    size_t length = 0;

    for (; text[0] != '\0' && text[1] != '\0'; text += 2) {
        char pair[3] = {text[0], text[1], '\0'};

        bytes[length++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return length;
}

static void print_hex(const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        printf("%02x", bytes[i]);
}

/* Hex pairs, blanks, and comments from # to the end of the line. */
static size_t read_vector(const char *path, uint8_t *bytes) {
    FILE *file = fopen(path, "r");
    char line[4096];
    size_t length = 0;

    if (file == NULL) {
        perror(path);
        exit(2);
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "#")] = '\0';
        for (char *at = strtok(line, " \n"); at != NULL; at = strtok(NULL, " \n"))
            if (length < ROOM)
                bytes[length++] = (uint8_t)strtoul(at, NULL, 16);
    }
    (void)fclose(file);
    return length;
}

/* In memory of exactly this size, so that the sanitizer sees a read past the end. */
static bool parse_exactly(const uint8_t *body, size_t length, struct wire_frame *frame) {
    uint8_t *copy = malloc(length > 0 ? length : 1);
    struct wire_frame found;
    bool good;

    if (copy == NULL)
        abort();
    memcpy(copy, body, length);
    good = wire_parse(copy, length, &found);
    if (good && found.text != NULL)
        found.text = body + (found.text - copy);
    free(copy);
    *frame = found;
    return good;
}

static void parse_file(const char *path) {
    uint8_t bytes[ROOM] = {0};
    struct wire_frame frame;
    size_t length = read_vector(path, bytes);
    size_t body = length >= FRAME_HEADER ? frame_length(bytes) : 0;

    printf("%s ", path);
    if (body == 0 || body != length - FRAME_HEADER || !parse_exactly(bytes + FRAME_HEADER, body, &frame)) {
        printf("refused\n");
        return;
    }
    for (size_t cut = 0; cut < body; cut++) {
        struct wire_frame part;

        if (parse_exactly(bytes + FRAME_HEADER, cut, &part))
            printf("accepted-when-cut-at-%zu ", cut);
    }
    printf("type=%u style=%d code=%u strip=%u text=", frame.type, frame.style, frame.code, frame.strip);
    print_hex(frame.text, frame.text_length);
    printf("\n");
}

static void take_fact(struct context *context, struct options *options, uint32_t *deadline, const char *fact) {
    const char *value = strchr(fact, '=') + 1;
    size_t name = (size_t)(value - fact) - 1;
    uint32_t number = (uint32_t)strtoul(value, NULL, 10);

#define IS(text) (name == strlen(text) && strncmp(fact, text, name) == 0)
    if (IS("service"))
        context->service = value;
    else if (IS("user"))
        (void)snprintf(context->user, sizeof(context->user), "%s", value);
    else if (IS("ruser"))
        context->ruser = value;
    else if (IS("rhost"))
        context->rhost = value;
    else if (IS("tty"))
        context->tty = value;
    else if (IS("session"))
        (void)snprintf(context->session, sizeof(context->session), "%s", value);
    else if (IS("realUid"))
        context->real_uid = number;
    else if (IS("mode"))
        options->mode = (enum login_mode)number;
    else if (IS("firstFactorPassed"))
        options->first_factor_passed = number == 1;
    else if (IS("sshAuthInfo"))
        context->ssh_auth_info = value;
    else if (IS("deadline"))
        *deadline = number;
    else if (IS("flags"))
        context->flags = number;
    else if (IS("terminal"))
        context->terminal = number == 1;
#undef IS
}

static void build_hello(int count, char **facts) {
    static uint8_t bytes[ROOM];
    struct context context = {.real_uid = 0};
    struct options options = {.mode = MODE_PROMPT};
    uint32_t deadline = 0;

    for (int i = 0; i < count; i++)
        take_fact(&context, &options, &deadline, facts[i]);
    print_hex(bytes, context_hello(&context, &options, deadline, bytes, sizeof(bytes)));
}

static void build_small(enum frame_type type, const char *hex) {
    uint8_t answer[ANSWER_MAX + 1];
    uint8_t bytes[ANSWER_MAX + 64];
    struct frame_out out = {.bytes = bytes, .size = sizeof(bytes)};

    frame_begin(&out, (uint8_t)type);
    if (hex != NULL)
        frame_put(&out, TAG_ANSWER, answer, from_hex(hex, answer));
    print_hex(bytes, frame_end(&out));
}

/* What does not fit is never written, in no part. */
static void build_in_no_room(void) {
    for (size_t size = 0; size < 32; size++) {
        uint8_t *bytes = malloc(size > 0 ? size : 1);
        struct frame_out out = {.bytes = bytes, .size = size};

        if (bytes == NULL)
            abort();
        frame_begin(&out, FRAME_ANSWER);
        frame_put(&out, TAG_ANSWER, "0123456789", 10);
        frame_put_u32(&out, TAG_FLAGS, 7);
        printf("%zu ", frame_end(&out));
        free(bytes);
    }
}

static void find_sessions(void) {
    static char text[65536];
    char id[SESSION_MAX + 1];
    size_t length = fread(text, 1, sizeof(text) - 1, stdin);

    for (size_t at = 0; at < length; at += strlen(text + at) + 1) {
        context_session(text + at, id);
        printf("%s\n", id);
    }
}

int main(int argc, char **argv) {
    const char *command = argc > 1 ? argv[1] : "";

    if (strcmp(command, "parse") == 0)
        for (int i = 2; i < argc; i++)
            parse_file(argv[i]);
    else if (strcmp(command, "hello") == 0)
        build_hello(argc - 2, argv + 2);
    else if (strcmp(command, "answer") == 0 && argc > 2)
        build_small(FRAME_ANSWER, argv[2]);
    else if (strcmp(command, "cancel") == 0)
        build_small(FRAME_CANCEL, NULL);
    else if (strcmp(command, "withdrawn") == 0)
        build_small(FRAME_WITHDRAWN, NULL);
    else if (strcmp(command, "no-room") == 0)
        build_in_no_room();
    else if (strcmp(command, "session") == 0)
        find_sessions();
    else
        return 2;
    return 0;
}
