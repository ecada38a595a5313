/*
 * A prompt at the terminal of the process itself. A PAM conversation cannot be interrupted; this one ends when
 * the daemon sends something: a security key was touched.
 */
#ifndef SALLYPORT_TERMINAL_H
#define SALLYPORT_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conv.h"

enum terminal_status {
    TERMINAL_ANSWERED,
    /* The daemon has sent something, or closed: what was typed so far is dropped. */
    TERMINAL_DAEMON,
    /* ^C, ^\, ^D, a line over ANSWER_MAX, a signal that ends the program, or the terminal hung up. */
    TERMINAL_CANCELLED,
    TERMINAL_TIMEOUT,
    /* The terminal cannot be opened or set up; errno says why. */
    TERMINAL_FAILED,
    /* Only within terminal.c: go on; and ^Z, which ends the prompt until the program is continued. */
    TERMINAL_READY,
    TERMINAL_SUSPENDED,
};

/*
 * Whether `name` (PAM_TTY) is standard input and the controlling terminal of the process, in whose foreground it
 * runs: there is a person at this very terminal, and no other process reads from it.
 */
bool terminal_usable(const char *name);
/* Asks, hidden. On every way out the terminal is as it was before. `answer` holds something only when ANSWERED. */
enum terminal_status terminal_ask(int socket, const uint8_t *text, size_t length, int64_t deadline,
                                  struct answer *answer);

#endif
