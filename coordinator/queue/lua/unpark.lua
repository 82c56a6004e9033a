#!lua flags=allow-oom
-- purpose: brings parked queue entries back once their cause has ended, in chunks
-- keys: cell meta
-- args: [tag: string, origin: string, cause: string, limit: number]
-- returns: number (entries that are still parked)
-- edges: none; jobs stay unassigned
-- emits: nothing
-- idempotent: a second call brings back what is still parked; entries keep their place
-- use: cell queue facts
local key = P .. 'p:' .. A[3]
local list = call('ZRANGE', key, 0, A[4] - 1, 'WITHSCORES')
for i = 1, #list, 2 do
  local member, class = string.match(list[i], '^(.-)|(.*)$')
  queue_again(class, tonumber(list[i + 1]), member)
  zrem(key, list[i])
end
flush_queue(A[2])
flush(A[1], A[2])
return call('ZCARD', key)
