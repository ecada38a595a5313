/* One login as the daemon drives it, from HELLO to RESULT. docs/reference/protocol.md, "Sequence". */
#ifndef SALLYPORT_DIALOGUE_H
#define SALLYPORT_DIALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include <security/pam_modules.h>

#include "../frames/codec.h"
#include "context.h"
#include "conv.h"
#include "options.h"
#include "protocol.h"

/* A daemon that has sent nothing for so long is absent. */
#ifdef SALLYPORT_FUZZING
enum { FIRST_FRAME_MS = 10 };
#else
enum { FIRST_FRAME_MS = 5000 };
#endif

enum dialogue_state {
    STATE_TALKING = 1,
    STATE_PROMPTED = 2,
    STATE_DONE = 4,
    STATE_PROMPTED_AT_TERMINAL = 8,
};

/* Holds what was typed; belongs to the caller, who wipes it. */
struct dialogue {
    pam_handle_t *pamh;
    const struct options *options;
    const struct context *context;
    int fd;
    /* Points on conn_now()'s clock. The first one ends the connection, and once HELLO is sent its silence. */
    int64_t first_deadline;
    int64_t deadline;

    enum dialogue_state state;
    unsigned frames;
    unsigned prompts;
    /* A WITHDRAW may still be on its way that the last answer crossed. */
    bool may_cross;
    int code;
    struct answer answer;
    uint8_t bytes[FRAME_SIZE_MAX];
};

/* Returns what pam_sm_authenticate returns. The members up to `deadline` are set, the others zero. */
int dialogue_run(struct dialogue *dialogue);
/* Reads one frame and acts on it. Its length is checked before a byte of the body is read. */
void dialogue_step(struct dialogue *dialogue);
/* Ends the login with SYSTEM_ERR; logs `why`. */
void dialogue_fail(struct dialogue *dialogue, const char *why);
/* Tells the daemon, as far as the socket takes it at once, and refuses. */
void dialogue_cancel(struct dialogue *dialogue, int code);
/* When a daemon that neither sends nor receives is given up, from now on. */
int64_t dialogue_silence(const struct dialogue *dialogue);
/* What "no daemon" means on the socket in use; logs `why`. */
int dialogue_unavailable(pam_handle_t *pamh, const struct options *options, const char *why);

#endif
