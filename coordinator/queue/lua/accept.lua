#!lua flags=allow-oom
-- purpose: agents take offers into their local queues, say that jobs began, and name what they still hold
-- keys: cell meta
-- args: [tag: string, origin: string, leaseMs: number, items: AcceptItem[]]
-- returns: AcceptReply[]
-- edges: scheduled -> processing where the item says so
-- emits: workflow.started, step.started, job.started
-- idempotent: a lease is extended, a start is marked once
-- use: cell queue facts
local out = {}
local lease_until = now + A[3]
prefetch_items(A[4])
for i = 1, #A[4] do
  -- item = {ref, token, start age ms (-1 = not started), attempt timeout ms (0 = none)}
  local it = A[4][i]
  local rec = load_job(it[1])
  local live = held(rec, it[2])
  out[i] = live
  if live == 'ok' then
    local j = rec.j
    if j[J.hold] == 1 then
      zrem(OFFERS, rec.ref)
      j[J.hold] = 2
      move(rec)
    end
    zadd(LEASES, lease_until, rec.ref)
    if it[3] >= 0 then
      mark_started(rec, now - it[3])
      if it[4] > 0 then zadd(TIMERS, j[J.startedAt] + it[4], 'attempt|' .. rec.ref .. '|' .. it[2]) end
    end
  end
end
flush(A[1], A[2])
return pack(out)
