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
  local score = tonumber(list[i + 1])
  if is_run_member(member) then
    local run = load_run(split_ref(split_slice(sub(member, 12))))
    if run and run.entry == member then
      local q = run.q
      q[R.cap] = math.min(q[R.cap], front_of(class, score))
      q[R.stands] = 1
      touch_run(run)
      grown[class] = 1
    end
  else
    queue_again(class, score, member)
  end
  zrem(key, list[i])
end
flush_queue(A[2])
flush(A[1], A[2])
return call('ZCARD', key)
