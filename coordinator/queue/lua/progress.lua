#!lua flags=allow-oom
-- purpose: reported progress; a sign of life like a heartbeat
-- keys: cell meta
-- args: [tag: string, origin: string, leaseMs: number, items: ProgressItem[]]
-- returns: AcceptReply[]
-- edges: scheduled -> processing (progress implies a start)
-- emits: job.progress
-- idempotent: progress never falls, an equal figure is not written again
-- use: cell queue facts
local out = {}
prefetch_items(A[4])
for i = 1, #A[4] do
  -- item = {ref, token, fraction, message}
  local it = A[4][i]
  local rec = load_job(it[1])
  local live = held(rec, it[2])
  out[i] = live
  if live == 'ok' then
    local j = rec.j
    mark_started(rec, now)
    if j[J.hold] == 1 then
      zrem(OFFERS, rec.ref)
      j[J.hold] = 2
      move(rec)
    end
    zadd(LEASES, now + A[3], rec.ref)
    if it[3] > j[J.progress] then
      j[J.progress] = it[3]
      j[J.progressSource] = 2
      move(rec)
      event(rec.w, EV['job.progress'], rec.s, rec.n, ST.processing, j[J.agent], '', it[4], it[3])
    end
  end
end
flush(A[1], A[2])
return pack(out)
