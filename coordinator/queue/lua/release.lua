#!lua flags=allow-oom
-- purpose: agents hand jobs back; they return to the front of their queue
-- keys: cell meta
-- args: [tag: string, origin: string, items: ReleaseItem[]]
-- returns: AcceptReply[]
-- edges: scheduled|preparing|processing -> unassigned
-- emits: job.released
-- idempotent: the fence is void after the first call, so the second is answered 'lost'
-- use: cell queue facts
local out = {}
prefetch_items(A[3])
for i = 1, #A[3] do
  -- item = {ref, token, reason}
  local it = A[3][i]
  local rec = load_job(it[1])
  local live = held(rec, it[2])
  out[i] = live
  if live == 'ok' then requeue(rec, EV['job.released'], it[3], 'released') end
end
flush_queue(A[2])
flush(A[1], A[2])
return pack(out)
