/*
 * Listens on a socket and misbehaves: listener PATH BACKLOG [REPLY [DELAY]]
 *
 * Prints "ready". With REPLY (hex, may be empty) it answers each connection with these bytes and closes without
 * having read one, from DELAY milliseconds on. Without, it never accepts; on a line of standard input it prints
 * how many bytes wait in each connection and ends.
 */
#define _GNU_SOURCE

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void reply(int listener, const char *hex) {
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
        char pair[3] = {hex[0], hex[1], '\0'};
        unsigned char byte = (unsigned char)strtoul(pair, NULL, 16);

        if (send(connection, &byte, 1, MSG_NOSIGNAL) != 1)
            break;
    }
    close(connection);
}

static void count_waiting(int listener) {
    int connection;

    while ((connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        int waiting = 0;

        ioctl(connection, FIONREAD, &waiting);
        printf("%d\n", waiting);
        close(connection);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (argc < 3 || strlen(argv[1]) >= sizeof(address.sun_path))
        return 2;
    strcpy(address.sun_path, argv[1]);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || chmod(argv[1], 0666) != 0)
        return 2;
    if (listen(listener, atoi(argv[2])) != 0)
        return 2;
    printf("ready\n");
    fflush(stdout);
    if (argc > 4)
        usleep((useconds_t)atoi(argv[4]) * 1000);
    while (argc > 3)
        reply(listener, argv[3]);
    (void)getchar();
    if (fcntl(listener, F_SETFL, O_NONBLOCK) == 0)
        count_waiting(listener);
    return 0;
}
