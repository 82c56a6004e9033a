#!lua flags=allow-oom
-- purpose: a person's word on a workflow: cancel; the decision that follows carries it out
-- keys: cell meta
-- args: [tag: string, origin: string, wid: string, tenant: string, message: string]
-- returns: [status: 'ok' | 'terminal' | 'gone', state: number]
-- edges: none by itself
-- emits: nothing by itself
-- idempotent: asking twice is asking once
-- use: cell queue facts
local w = load_work(A[3])
if not w or w.h[H.tenant] ~= A[4] then return pack({'gone', 0}) end
if terminal(w.h[H.state]) then return pack({'terminal', w.h[H.state]}) end
if w.h[H.cancel] == 0 then
  w.h[H.cancel] = 1
  w.h[H.cancelMessage] = A[5]
  need_decision(w, -1)
end
flush(A[1], A[2])
return pack({'ok', w.h[H.state]})
