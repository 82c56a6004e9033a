#!lua flags=allow-oom
-- purpose: agents take offers into their local queues, say that jobs are prepared or began, and name what they still hold
-- keys: cell meta
-- args: [tag: string, origin: string, leaseMs: number, items: AcceptItem[]]
-- returns: AcceptReply[]
-- edges: scheduled -> preparing, scheduled|preparing -> processing where the item says so
-- emits: job.preparing, workflow.started, step.started, job.started
-- idempotent: a lease is extended, a start and what is prepared are marked once
-- use: cell queue facts
local out = {}
local lease_until = now + A[3]
prefetch_items(A[4])
for i = 1, #A[4] do
  -- item = {ref, token, start age ms (-1 = not started, -2 = prepared), attempt timeout ms (0 = none), what is prepared as JSON text}
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
    elseif it[3] == -2 and j[J.state] < ST.processing and j[J.message] ~= it[5] then
      j[J.state] = ST.preparing
      j[J.message] = it[5]
      move(rec)
      event(rec.w, EV['job.preparing'], rec.s, rec.n, ST.preparing, j[J.agent], '', '', it[5])
    end
  end
end
flush(A[1], A[2])
return pack(out)
