/* sensor.c: the library. Its one thread is started by the first measurement, and makes one after another. */
#include "sensor.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

typedef struct request {
    struct request *next;
    int channel;
    sensor_done done;
    void *user;
} request;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queued = PTHREAD_COND_INITIALIZER;
static request *first, **last = &first;
static int started;

static void *
measure_all(void *nothing)
{
    for (;;) {
        (void)pthread_mutex_lock(&mutex);
        while (!first) {
            (void)pthread_cond_wait(&queued, &mutex);
        }
        request *r = first;
        first = r->next;
        last = first ? last : &first;
        (void)pthread_mutex_unlock(&mutex);
        int exists = r->channel >= 0 && r->channel < 8;
        r->done(r->user, exists ? 0 : ENODEV, exists ? 20 + r->channel * 0.5 : 0);
        free(r);
    }
    return nothing;
}

int
sensor_measure(int channel, sensor_done done, void *user)
{
    request *r = malloc(sizeof *r);
    if (!r) {
        return ENOMEM;
    }
    *r = (request){.channel = channel, .done = done, .user = user};
    pthread_t thread;
    (void)pthread_mutex_lock(&mutex);
    int error = started ? 0 : pthread_create(&thread, NULL, measure_all, NULL);
    if (!error) {
        started = 1;
        *last = r;
        last = &r->next;
        (void)pthread_cond_signal(&queued);
    }
    (void)pthread_mutex_unlock(&mutex);
    if (error) {
        free(r);
    }
    return error;
}
