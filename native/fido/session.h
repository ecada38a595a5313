/*
 * One request. The main thread talks to the daemon and keeps the time; each key has a worker, because libfido2's
 * calls block until a finger comes.
 */
#ifndef SALLYPORT_FIDO_SESSION_H
#define SALLYPORT_FIDO_SESSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <fido.h>

#include "devices.h"
#include "../frames/stream.h"
#include "request.h"

enum ending {
    /* Goes on: never how a worker ends. */
    ENDING_NONE,
    ENDING_STOPPED,
    /* The key was pulled out, is busy, or sends malformed answers. */
    ENDING_LOST,
    ENDING_OUTCOME,
};

struct session;

/* A key that is plugged in, and the thread that asks it. */
struct worker {
    struct session *session;
    /* Empty: the slot is free. */
    struct plugged plugged;
    pthread_t thread;

    /* The main thread's. */
    bool present;
    bool running;
    unsigned failures;
    int64_t not_before;
    unsigned presses;
    int64_t press_next;

    /* Under the session's lock. */
    bool stop;
    bool ended;
    enum ending ending;
    bool blinking;
    /* Of LIST. */
    bool fido2;
    /* Set while a call waits for a touch: the key that a cancel reaches. */
    fido_dev_t *device;
    /* Number of the PIN request that is open; 0: none. */
    uint8_t ask;
    bool ask_announced;
    bool pin_asked;
    enum pin_why why;
    /* Negative: not known. */
    int retries;
    char pin[PIN_FIELD_MAX + 1];
};

struct session {
    const struct request *request;
    int64_t deadline;
    /* Written to by workers and by the handler of SIGTERM. */
    int wake[2];

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct worker workers[KEYS_MAX];
    size_t present;
    /* The one key that goes on: it was touched, or it is the only one and wants a PIN. */
    struct worker *chosen;
    uint8_t asks;
    bool decided;
    /* In outcome_bytes. */
    struct frame_out outcome;
    uint8_t outcome_bytes[FRAME_SIZE_MAX];

    /* The main thread's. */
    int64_t look_next;
    size_t present_announced;
    bool keys_announced;
    bool touch_announced;
};

int64_t session_now(void);
/* False: the daemon broke the protocol, or cannot be reached. `request` was parsed; `wake` is a pipe. */
bool session_run(struct session *session, const struct request *request, int64_t started);

/* workers.c, for the main thread. */
void workers_look(struct session *session);
void workers_start(struct session *session);
void workers_reap(struct session *session);
/* Marks one as to end; workers_press makes it happen. */
void workers_stop(struct worker *worker);
/* Cancels what blocks workers that have to end. True: some are left. */
bool workers_press(struct session *session);
bool workers_all_failed(struct session *session);

#endif
