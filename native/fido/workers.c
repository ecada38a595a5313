#define _GNU_SOURCE

#include <signal.h>
#include <string.h>

#include "session.h"
#include "worker.h"

enum {
    LOOK_MS = 300,
    /* A key that fails so often is broken, until it is pulled out. */
    FAILURES_MAX = 3,
    PRESS_MS = 50,
    /* A FIDO2 key answers a cancel at once; one that does not is cut off. */
    PATIENT_PRESSES = 4,
};

static struct worker *worker_of(struct session *session, const char *path) {
    for (size_t i = 0; i < KEYS_MAX; i++) {
        if (strcmp(session->workers[i].plugged.path, path) == 0)
            return &session->workers[i];
    }
    return NULL;
}

void workers_stop(struct worker *worker) {
    pthread_mutex_lock(&worker->session->lock);
    worker->stop = true;
    worker->blinking = false;
    pthread_cond_broadcast(&worker->session->changed);
    pthread_mutex_unlock(&worker->session->lock);
}

static void leave_place(struct worker *worker) {
    struct session *session = worker->session;

    if (worker->running || worker->present)
        return;
    memset(worker, 0, sizeof(*worker));
    worker->session = session;
}

/* Invariant: the name and path of a key are not written again: its worker reads them without the lock. */
static void take_place(struct session *session, const struct plugged *plugged) {
    struct worker *worker = worker_of(session, plugged->path);

    if (worker == NULL) {
        worker = worker_of(session, "");
        if (worker == NULL)
            return;
        worker->plugged = *plugged;
    }
    worker->present = true;
}

void workers_look(struct session *session) {
    struct plugged found[KEYS_MAX];
    size_t count = devices_list(found, KEYS_MAX);

    for (size_t i = 0; i < KEYS_MAX; i++)
        session->workers[i].present = false;
    for (size_t i = 0; i < count; i++)
        take_place(session, &found[i]);
    for (size_t i = 0; i < KEYS_MAX; i++) {
        if (session->workers[i].running && !session->workers[i].present)
            workers_stop(&session->workers[i]);
        leave_place(&session->workers[i]);
    }
    pthread_mutex_lock(&session->lock);
    session->present = count;
    pthread_mutex_unlock(&session->lock);
    session->look_next = session_now() + LOOK_MS;
}

/* Once a key was chosen no other one blinks. */
static void start(struct worker *worker) {
    pthread_mutex_lock(&worker->session->lock);
    if (worker->session->chosen == NULL) {
        worker->stop = false;
        worker->ended = false;
        worker->ending = ENDING_NONE;
        worker->presses = 0;
        worker->press_next = 0;
        worker->running = pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
        worker->failures += worker->running ? 0 : 1;
    }
    pthread_mutex_unlock(&worker->session->lock);
}

void workers_start(struct session *session) {
    int64_t now = session_now();

    for (size_t i = 0; i < KEYS_MAX; i++) {
        struct worker *worker = &session->workers[i];

        if (worker->present && !worker->running && worker->failures < FAILURES_MAX && now >= worker->not_before)
            start(worker);
    }
}

static bool has_ended(struct worker *worker) {
    bool ended;

    pthread_mutex_lock(&worker->session->lock);
    ended = worker->running && worker->ended;
    if (ended && worker->session->chosen == worker)
        worker->session->chosen = NULL;
    pthread_mutex_unlock(&worker->session->lock);
    return ended;
}

void workers_reap(struct session *session) {
    for (size_t i = 0; i < KEYS_MAX; i++) {
        struct worker *worker = &session->workers[i];

        if (!has_ended(worker))
            continue;
        (void)pthread_join(worker->thread, NULL);
        worker->running = false;
        if (worker->ending == ENDING_LOST) {
            /* A key that takes a PIN and then sends malformed answers gets no second one. */
            worker->failures = worker->pin_asked ? FAILURES_MAX : worker->failures + 1;
            worker->not_before = session_now() + LOOK_MS;
        }
        leave_place(worker);
    }
}

/*
 * A cancel may come before the command that it is to end, so it is repeated. U2F knows none, and a key need not
 * obey: a signal ends the system call in which libfido2 waits, and the worker closes the device.
 */
static void press(struct worker *worker) {
    bool asked;

    pthread_mutex_lock(&worker->session->lock);
    asked = worker->device != NULL && fido_dev_cancel(worker->device) == FIDO_OK;
    if (!worker->ended && (!asked || worker->presses >= PATIENT_PRESSES))
        (void)pthread_kill(worker->thread, SIGUSR1);
    pthread_mutex_unlock(&worker->session->lock);
    worker->presses++;
}

bool workers_press(struct session *session) {
    int64_t now = session_now();
    bool left = false;

    for (size_t i = 0; i < KEYS_MAX; i++) {
        struct worker *worker = &session->workers[i];

        if (!worker->running || !worker_stopped(worker))
            continue;
        left = true;
        if (now < worker->press_next)
            continue;
        press(worker);
        worker->press_next = now + PRESS_MS;
    }
    return left;
}

bool workers_all_failed(struct session *session) {
    size_t present = 0;

    for (size_t i = 0; i < KEYS_MAX; i++) {
        const struct worker *worker = &session->workers[i];

        if (worker->present && (worker->running || worker->failures < FAILURES_MAX))
            return false;
        present += worker->present ? 1 : 0;
    }
    return present > 0;
}
