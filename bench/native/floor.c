/*
 * The least that any daemon can do for a login: one thread takes HELLO, sends PROMPT, takes ANSWER, makes it
 * durable at the end of a file, and sends RESULT.
 *
 *   floor SOCKET FILE PROMPT RESULT
 *
 * The last two are whole frames in hex (bench/frames.ts).
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MOST_BYTES = 16388 };

struct frame {
    unsigned char bytes[MOST_BYTES];
    size_t length;
};

static int read_frame(int connection, struct frame *frame) {
    size_t wanted = 4;
    frame->length = 0;
    while (frame->length < wanted) {
        const ssize_t got = read(connection, frame->bytes + frame->length, sizeof frame->bytes - frame->length);
        if (got <= 0)
            return -1;
        frame->length += (size_t)got;
        if (frame->length >= 4)
            wanted = 4 + ((size_t)frame->bytes[2] << 8 | frame->bytes[3]);
    }
    return 0;
}

static int write_frame(int connection, const struct frame *frame) {
    return write(connection, frame->bytes, frame->length) == (ssize_t)frame->length ? 0 : -1;
}

static struct frame from_hex(const char *hex) {
    struct frame frame = {.length = 0};
    for (unsigned int byte; sscanf(hex, "%2x", &byte) == 1 && frame.length < MOST_BYTES; hex += 2)
        frame.bytes[frame.length++] = (unsigned char)byte;
    return frame;
}

static void serve(int connection, int file, const struct frame *prompt, const struct frame *result) {
    static struct frame got;
    if (read_frame(connection, &got) == 0 && write_frame(connection, prompt) == 0 && read_frame(connection, &got) == 0 &&
        write_frame(file, &got) == 0 && fdatasync(file) == 0)
        write_frame(connection, result);
    close(connection);
}

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (argc != 5 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    strcpy(address.sun_path, argv[1]);
    const int file = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0600);
    const struct frame prompt = from_hex(argv[3]);
    const struct frame result = from_hex(argv[4]);
    if (file < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0)
        return 1;
    for (;;)
        serve(accept(listener, NULL, NULL), file, &prompt, &result);
}
