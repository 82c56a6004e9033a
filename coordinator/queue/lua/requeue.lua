#!lua flags=allow-oom
-- purpose: an operator puts a job to the front of its queue, or to the back, wherever it is: held, waiting, in a backoff
-- keys: cell meta
-- args: [tag: string, origin: string, ref: string, seen: string, toBack: number, note: string]
-- returns: [status: 'ok' | 'moved' | 'terminal' | 'gone', state: number, told: Told[]]
-- edges: scheduled|preparing|processing -> unassigned
-- emits: job.released where it was held, else job.queued
-- idempotent: what the caller saw of it, its token or its place, is void after the first call; at the front it stays where it is
-- use: cell queue facts
local seen, back, note = A[4], A[5] == 1, A[6]
local rec = load_job(A[3])
if not rec then return pack({'gone', 0, {}}) end
local j = rec.j
local was = j[J.state]
if terminal(was) then return pack({'terminal', was, {}}) end
-- A job in a backoff has no place.
local where = j[J.hold] > 0 and j[J.token] or sub(j[J.member], 1, 10)
if where ~= seen then return pack({'moved', was, {}}) end

if j[J.hold] > 0 then
  local agent = j[J.agent]
  told[#told + 1] = {rec.ref, j[J.token], agent, 'REQUEUED'}
  j[J.history] = with_claim(j, 'released', 'REQUEUED', now)
  free(rec)
  event(rec.w, EV['job.released'], rec.s, rec.n, ST.unassigned, agent, 'REQUEUED', note)
  if back then enqueue(rec) else queue_again(j[J.class], j[J.score], j[J.member]) end
else
  local key, front = P .. 'q:' .. j[J.class], 0
  if seen == '' then
    zrem(TIMERS, 'backoff|' .. rec.ref)
    j[J.queuedAt] = now
  elseif not back then
    front = math.min(j[J.score], front_of(j[J.class], j[J.score]))
    local score = not rec.run and not rec.entry and call('ZSCORE', key, j[J.member])
    if score and tonumber(score) <= front then return pack({'ok', was, {}}) end
  end
  if seen ~= '' then
    -- A solo record's entry names the workflow alone.
    if rec.entry then zrem(key, sub(j[J.member], 1, -5)) end
    leave_queue(rec)
  end
  move(rec)
  if back or seen == '' then
    enqueue(rec)
  else
    j[J.score] = front
    put_in_queue(j[J.class], front, j[J.member])
  end
  event(rec.w, EV['job.queued'], rec.s, rec.n, ST.unassigned, '', 'REQUEUED', note)
end
flush_queue(A[2])
flush(A[1], A[2])
return pack({'ok', was, told})
