#!lua flags=allow-oom
-- purpose: the stall sweep: jobs whose lease has run out go back to the front of their queue, or fail for good
-- keys: cell meta
-- args: [tag: string, origin: string, leaseMs: number, intervalMs: number, slackMs: number, maxRecoveries: number, limit: number, notes: StallNotes]
-- returns: [stalled: [ref: string, agent: string, recovered: number][], todo: string[], grace: number, more: number]
-- edges: scheduled|preparing|processing -> unassigned | failed
-- emits: job.stalled, job.recovered | job.failed
-- idempotent: a requeued job holds no lease
-- use: cell queue facts
-- After a gap longer than interval + slack nobody could renew: wait one full lease before calling anything stalled.
local lease, interval, slack, max, limit, notes = A[3], A[4], A[5], A[6], A[7], A[8]
local m = call('HMGET', KEYS[1], 'sweptAt', 'graceUntil')
local swept, grace = tonumber(m[1] or 0), tonumber(m[2] or 0)
if swept > 0 and now - swept > interval + slack then
  grace = now + lease
  call('HSET', KEYS[1], 'graceUntil', grace)
end
call('HSET', KEYS[1], 'sweptAt', now)
if grace > now then return pack({{}, {}, 1, 0}) end
local stalled, todo, seen = {}, {}, {}
local list = call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, limit)
for i = 1, #list do
  local rec = load_job(list[i])
  if not rec or rec.j[J.hold] ~= 2 then
    zrem(LEASES, list[i])
  else
    local j = rec.j
    local agent = j[J.agent]
    j[J.agents] = with_agent(j[J.agents], agent)
    local note = notes[rec.ref]
    if note then event(rec.w, EV['job.stalled'], rec.s, rec.n, j[J.state], agent, '', '', note[1])
    else event(rec.w, EV['job.stalled'], rec.s, rec.n, j[J.state], agent) end
    if j[J.recoveries] < max then
      j[J.recoveries] = j[J.recoveries] + 1
      requeue(rec, EV['job.recovered'], 'STALLED', 'stalled')
      stalled[#stalled + 1] = {rec.ref, agent, 1}
    else
      fail(rec, ST.failed, 'RECOVERY_EXHAUSTED',
        'It stalled ' .. (j[J.recoveries] + 1) .. ' times; agents tried: ' .. j[J.agents] .. '.'
          .. (note and ' Its process, when last seen: ' .. note[2] .. '.' or ''), false)
      -- Its agent's late result is refused, as after every stall.
      j[J.history] = with_claim(j, 'stalled', 'RECOVERY_EXHAUSTED', now)
      j[J.token] = ''
      stalled[#stalled + 1] = {rec.ref, agent, 0}
      if not seen[rec.w.wid] then seen[rec.w.wid] = true todo[#todo + 1] = rec.w.wid end
    end
  end
end
flush_queue(A[2])
flush(A[1], A[2])
return pack({stalled, todo, 0, #list == limit and 1 or 0})
