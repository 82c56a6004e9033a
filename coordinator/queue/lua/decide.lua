#!lua flags=allow-oom
-- purpose: commits decisions by compare-and-set on the workflow's version
-- keys: cell meta
-- args: [tag: string, origin: string, items: DecideItem[]]
-- returns: [replies: DecideReply[], told: Told[]]
-- edges: any non-terminal step or workflow -> what the pure engine decided; queued or held jobs -> canceled
-- emits: what the decision says
-- idempotent: the version has moved on by the second call, which is answered 'conflict'
-- use: cell queue facts decision
local out = {}
for i = 1, #A[3] do
  -- item = {wid, ver, facts, change, seen}
  local it = A[3][i]
  local w = load_work(it[1])
  if not w then
    zrem(TODO, it[1])
    out[i] = {'gone', 0, 0}
  elseif w.h[H.ver] ~= it[2] then
    out[i] = {'conflict', 1, w.h[H.state]}
  else
    -- Cancels inside apply are this decision's own doing: they raise no facts.
    apply(w, it[4])
    touch(w)
    local clear = settle(w, it[5], it[3])
    out[i] = {'ok', clear and 0 or 1, w.h[H.state]}
  end
end
flush_queue(A[2])
flush(A[1], A[2])
return pack({out, told})
