/* Lets libfaketime see the waits of librdkafka, which uses C11 threads: glibc waits in there without asking anybody, until a time
   of the real clock that was reckoned by the wrong one. Preloaded before libfaketime by tests/clock.py. */

#include <errno.h>
#include <pthread.h>
#include <threads.h>

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
    int error = pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until);
    return error == 0 ? thrd_success : error == ETIMEDOUT ? thrd_timedout : thrd_error;
}
