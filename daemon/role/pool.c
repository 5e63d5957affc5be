#include "daemon/role/pool.h"

#include <assert.h>

#include "base/clock.h"

void pool_init(struct pool *pool, const struct role *role, const char *program, struct blob setup,
               size_t most)
{
    assert(most <= POOL_MAX);
    *pool = (struct pool){
        .role = role,
        .program = mem_strdup(program ? program : "/proc/self/exe"),
        .setup = setup,
        .most = most,
        .renewed_at = INT64_MIN,
        .mutex = PTHREAD_MUTEX_INITIALIZER,
    };
}

void pool_done(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        process_end(pool->idle[i]);
    blob_wipe(&pool->setup);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->program);
    *pool = (struct pool){0};
}

struct process *pool_take(struct pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    struct process *process = pool->count > 0 ? pool->idle[--pool->count] : NULL;
    pthread_mutex_unlock(&pool->mutex);
    return process;
}

int pool_start(const struct pool *pool, struct buf *ret_said, struct process **ret,
               struct error *err)
{
    return process_start(pool->role, pool->program, blob_span(&pool->setup), ret_said, ret, err);
}

void pool_give(struct pool *pool, struct process *process)
{
    bool worn = process_is_worn(process);

    pthread_mutex_lock(&pool->mutex);
    if (!worn && process_started_at(process) > pool->renewed_at && pool->count < pool->most)
        pool->idle[pool->count++] = TAKE(process);
    pthread_mutex_unlock(&pool->mutex);
    process_end(process);
}

void pool_renew(struct pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->renewed_at = clock_monotonic_ms();
    pthread_mutex_unlock(&pool->mutex);
    pool_tidy(pool, 0, 0);
}

bool pool_is_stale(struct pool *pool, const struct process *process)
{
    pthread_mutex_lock(&pool->mutex);
    bool stale = process_started_at(process) <= pool->renewed_at;
    pthread_mutex_unlock(&pool->mutex);
    return stale;
}

bool pool_tidy(struct pool *pool, int64_t idle_ms, size_t keep)
{
    struct process *old[POOL_MAX];
    int64_t since = clock_monotonic_ms() - idle_ms;
    size_t count = 0, kept = 0;

    pthread_mutex_lock(&pool->mutex);
    for (size_t i = 0; i < pool->count; i++) {
        struct process *process = pool->idle[i];

        if (pool->count - i > keep && process_used_at(process) <= since)
            old[count++] = process;
        else
            pool->idle[kept++] = process;
    }
    pool->count = kept;
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < count; i++)
        process_end(old[i]);
    return kept > keep;
}
