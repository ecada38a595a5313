#define _GNU_SOURCE

#include "worker.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ceremony.h"
#include "key.h"

enum {
    /* A key answers INIT and getInfo within milliseconds. */
    OPEN_MS = 2000,
    /* More than the farewell takes. */
    BEYOND_MS = 1000,
};

static void wake(struct session *session) {
    /* A pipe that is full wakes as well. */
    ssize_t ignored = write(session->wake[1], "", 1);

    (void)ignored;
}

int64_t session_now(void) {
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool worker_stopped(struct worker *worker) {
    bool stop;

    pthread_mutex_lock(&worker->session->lock);
    stop = worker->stop;
    pthread_mutex_unlock(&worker->session->lock);
    return stop;
}

int worker_patience(const struct worker *worker) {
    int64_t left = worker->session->deadline - session_now();

    return (int)(left < 0 ? 0 : left) + BEYOND_MS;
}

void worker_enter(struct worker *worker, fido_dev_t *device) {
    pthread_mutex_lock(&worker->session->lock);
    worker->device = device;
    if (!worker->blinking && !worker->stop) {
        worker->blinking = true;
        wake(worker->session);
    }
    pthread_mutex_unlock(&worker->session->lock);
}

void worker_leave(struct worker *worker) {
    pthread_mutex_lock(&worker->session->lock);
    worker->device = NULL;
    pthread_mutex_unlock(&worker->session->lock);
}

void worker_nap(struct worker *worker, int milliseconds) {
    int64_t until = session_now() + milliseconds;
    struct timespec when = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    int status = 0;

    pthread_mutex_lock(&worker->session->lock);
    while (!worker->stop && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&worker->session->changed, &worker->session->lock, &when);
    pthread_mutex_unlock(&worker->session->lock);
}

bool worker_is_only(struct worker *worker) {
    bool only;

    pthread_mutex_lock(&worker->session->lock);
    only = worker->session->present == 1 || worker->session->chosen == worker;
    pthread_mutex_unlock(&worker->session->lock);
    return only;
}

bool worker_claim(struct worker *worker) {
    struct session *session = worker->session;
    bool claimed = false;

    pthread_mutex_lock(&session->lock);
    if (!worker->stop && (session->chosen == NULL || session->chosen == worker)) {
        session->chosen = worker;
        claimed = true;
    }
    for (size_t i = 0; claimed && i < KEYS_MAX; i++) {
        if (&session->workers[i] == worker)
            continue;
        session->workers[i].stop = true;
        session->workers[i].blinking = false;
    }
    pthread_cond_broadcast(&session->changed);
    wake(session);
    pthread_mutex_unlock(&session->lock);
    return claimed;
}

/*
 * Invariants: the PIN goes to the key that asked for it and to no other; each request has its number, and the
 * main thread puts a PIN here only while its request is open.
 */
bool worker_ask_pin(struct worker *worker, enum pin_why why, int retries) {
    struct session *session = worker->session;
    bool answered;

    pthread_mutex_lock(&session->lock);
    explicit_bzero(worker->pin, sizeof(worker->pin));
    worker->why = why;
    worker->retries = retries;
    worker->blinking = false;
    worker->ask_announced = false;
    worker->pin_asked = true;
    worker->ask = session->asks == UINT8_MAX ? 0 : ++session->asks;
    if (worker->ask == 0)
        worker->stop = true;
    wake(session);
    while (!worker->stop && worker->ask != 0)
        pthread_cond_wait(&session->changed, &session->lock);
    answered = !worker->stop;
    worker->ask = 0;
    pthread_mutex_unlock(&session->lock);
    return answered;
}

enum ending worker_decide(struct worker *worker, struct frame_out *frame) {
    struct session *session = worker->session;

    /* What a key says is too long to be passed on. */
    if (frame_end(frame) == 0)
        return ENDING_LOST;
    pthread_mutex_lock(&session->lock);
    if (!session->decided && !worker->stop) {
        memcpy(session->outcome.bytes, frame->bytes, frame->length);
        session->outcome.length = frame->length;
        session->decided = true;
        wake(session);
    }
    pthread_mutex_unlock(&session->lock);
    return ENDING_OUTCOME;
}

void failure_frame(struct frame_out *frame, enum failure_reason reason, const char *detail) {
    frame_begin(frame, FRAME_FAILED);
    frame_put_u8(frame, TAG_REASON, (uint8_t)reason);
    frame_put(frame, TAG_DETAIL, detail, strnlen(detail, DETAIL_MAX));
}

enum ending worker_fail(struct worker *worker, enum failure_reason reason, const char *detail) {
    uint8_t bytes[FRAME_HEADER + 1 + FIELD_HEADER + 1 + FIELD_HEADER + DETAIL_MAX];
    struct frame_out frame = {.bytes = bytes, .size = sizeof(bytes)};

    failure_frame(&frame, reason, detail);
    return worker_decide(worker, &frame);
}

static enum ending serve(struct worker *worker, struct key *key) {
    switch (worker->session->request->type) {
    case FRAME_MAKE:
        return make_run(worker, key);
    case FRAME_ASSERT:
        return assert_run(worker, key);
    default:
        pthread_mutex_lock(&worker->session->lock);
        worker->fido2 = key->fido2;
        pthread_mutex_unlock(&worker->session->lock);
        return ENDING_OUTCOME;
    }
}

void *worker_main(void *argument) {
    struct worker *worker = argument;
    struct session *session = worker->session;
    enum ending ending = ENDING_LOST;
    struct key key;

    if (key_open(&key, worker->plugged.path, OPEN_MS)) {
        ending = serve(worker, &key);
        key_close(&key);
    }
    pthread_mutex_lock(&session->lock);
    explicit_bzero(worker->pin, sizeof(worker->pin));
    worker->ending = worker->stop && ending == ENDING_LOST ? ENDING_STOPPED : ending;
    worker->blinking = false;
    worker->ended = true;
    wake(session);
    pthread_mutex_unlock(&session->lock);
    return NULL;
}
