#!lua flags=allow-oom
-- purpose: brings parked queue entries back once their cause has ended, in chunks
-- keys: cell meta
-- args: [tag: string, origin: string, cause: string, limit: number]
-- returns: number (entries that are still parked)
-- edges: none; jobs stay unassigned
-- emits: nothing
-- idempotent: a second call brings back what is still parked; entries keep their place
-- use: cell queue facts
bring_back(A[3], A[4])
flush_queue(A[2])
flush(A[1], A[2])
return call('ZCARD', P .. 'p:' .. A[3])
