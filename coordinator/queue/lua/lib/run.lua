-- Runs: jobs of one step that were made together, in one record, for as long as nothing but a claim has happened to them.
--
-- 1. A run holds jobs of one block of RUN_JOBS ordinals; a job with a record of its own is in it no longer ("it left"), nor is one that
--    has ended well with others of its claim: their outputs are one chunk, and the run's record stays to name it.
-- 2. Positions before `next` are held, each by one of its holds, but for those in `done` and in chunks; the others wait, but for those in `gone`.
-- 3. It has one queue entry, that of its first job that waits, and one offer entry a hold. Both end in "+" and a number of jobs.
-- 4. Nobody has run one of its jobs before, so no agent is to avoid them.
--
-- A run here: {wid, s, key = its bucket, field, q = record, holds = unpacked, entry, waited, stood = its
-- member, the jobs that waited and where it stood as stored}
local function is_run_member(member) return string.find(member, '+', 30, true) ~= nil end

local function token_text(fence, random) return string.format('%x', fence) .. '.' .. random end

-- lazy: run_lib
local function run_field(wid, s, n, kind) return wid .. '-' .. s .. kind .. floor(n / RUN_JOBS) end

-- First job and number of jobs of what stands in a queue or among the offers.
local function split_slice(slice)
  local ref, count = string.match(slice, '^(.*)%+(%d+)$')
  return ref, tonumber(count)
end

-- Jobs of a slice; nil when it is the ref of a single one.
local function refs_in(slice)
  local ref, count = split_slice(slice)
  if not ref then return nil end
  local wid, s, n = split_ref(ref)
  local refs = {}
  for i = 0, count - 1 do refs[#refs + 1] = ref_of(wid, s, n + i) end
  return refs
end

local function waiting_in(q) return q[R.count] - q[R.next] - #q[R.gone] end

local function slice_of(run, at, count)
  return run.wid .. '-' .. run.s .. '-' .. (run.q[R.from] + at) .. '+' .. count
end

local function place_in(q, at) return string.format('%010x', q[R.place] + at) .. ':' end

-- Its member where it stands: q[R.stands] 0 nowhere, 1 in its queue, 2 parked with its workflow.
local function entry_of(run)
  local q = run.q
  local waiting = waiting_in(q)
  if waiting == 0 or q[R.stands] == 0 then return '' end
  return place_in(q, q[R.next]) .. slice_of(run, q[R.next], waiting)
end

-- First score of a job: never that of the next band.
local function first_score_in(q, at)
  return math.min(q[R.score] + at * q[R.spacing], (3 - q[R.band]) * BAND_SHIFT - 1)
end

-- Score of its entry while that job is the first that waits: `cap` is lower once it was parked.
local function score_in(q, at) return math.min(q[R.score] + at * q[R.spacing], q[R.cap]) end

local function run_of(wid, s, n, raw)
  local field = run_field(wid, s, n, 'r')
  local run = false
  if raw then
    run = {wid = wid, s = s, key = bucket(wid), field = field, q = unpack_run(raw), holds = false, dirty = false}
    run.entry, run.waited, run.stood = entry_of(run), waiting_in(run.q), run.q[R.stands]
  end
  runs[field] = run
  return run
end

-- The run of the block a job lies in; false when there is none.
local function load_run(wid, s, n)
  local field = run_field(wid, s, n, 'r')
  local run = runs[field]
  if run == nil then run = run_of(wid, s, n, call('HGET', bucket(wid), field)) end
  return run
end

local function holds_of(run)
  local holds = run.holds
  if not holds then
    holds = {}
    local raw, at = run.q[R.holds], 1
    while at <= #raw do
      local hold = unpack_slice(raw, at)
      at = hold[L.END]
      holds[#holds + 1] = hold
    end
    run.holds = holds
  end
  return holds
end

local function hold_at(run, at)
  local holds = holds_of(run)
  for i = 1, #holds do
    local one = holds[i]
    if at >= one[L.from] and at < one[L.from] + one[L.count] then return one end
  end
  return nil
end

local function touch_run(run)
  if not run.dirty then run.dirty = true dirty_runs[#dirty_runs + 1] = run end
end

-- Positions of jobs that are in the run no longer: true, or the first position of the chunk they ended in.
local function gone_from(run)
  local gone = run.gone
  if not gone then
    gone = {}
    local q = run.q
    for i = 1, #q[R.gone] do gone[string.byte(q[R.gone], i)] = true end
    for i = 1, #q[R.done] do gone[string.byte(q[R.done], i)] = true end
    local chunks = q[R.chunks]
    for i = 1, #chunks, 2 do
      local from, count = string.byte(chunks, i, i + 1)
      for at = from, from + count - 1 do gone[at] = from end
    end
    run.gone = gone
  end
  return gone
end

local function chunk_field(run, at) return run.wid .. '-' .. run.s .. 'd' .. (run.q[R.from] + at) end

-- What jobs that ended together have left: {when they ended, were claimed, number of the first token, its random half, agent, ages of
-- their starts then, run times, outputs}.
local function chunk_of(run, at)
  if not run.read then run.read = {} end
  local chunk = run.read[at]
  if not chunk then
    chunk = cmsgpack.unpack(call('HGET', run.key, chunk_field(run, at)))
    run.read[at] = chunk
  end
  return chunk
end

-- A job that is or was in the run, as a record; nil when it is none, or has one of its own.
local function job_in_run(run, ref, w, s, n)
  local q = run.q
  local at = n - q[R.from]
  if at < 0 or at >= q[R.count] then return nil end
  local where = gone_from(run)[at]
  if where == true then return nil end
  local hold = at < q[R.next] and not where and hold_at(run, at)
  if at < q[R.next] and not where and not hold then return nil end
  -- In the order of JOB_FIELDS in records.ts. Its input is read when it is needed (own_input).
  local j = {ST.unassigned, 0, q[R.band], 0, 0, 0, 1, q[R.slot] + at, -1, 0, q[R.queuedAt], 0, 0, 0, 0, first_score_in(q, at),
    q[R.cost], -1, '', '', q[R.class], place_in(q, at) .. ref, '', '', '', '', '', '', ''}
  local rec = {ref = ref, w = w, s = s, n = n, j = j, dirty = false}
  if where then
    local chunk = chunk_of(run, where)
    local i = at - where + 1
    j[J.state], j[J.claims], j[J.claimedAt], j[J.completedAt], j[J.progress] = ST.succeeded, 1, chunk[2], chunk[1], 1
    j[J.token], j[J.agent] = token_text(chunk[3] + i - 1, chunk[4]), chunk[5]
    j[J.startedAt], j[J.runMs], j[J.output] = chunk[1] - chunk[6][i], chunk[7][i], chunk[8][i]
  else
    rec.run, rec.at, rec.hold, rec.left = run, at, hold, false
    if hold then
      j[J.state], j[J.hold], j[J.claims], j[J.claimedAt], j[J.agent] = ST.scheduled, 1, 1, hold[L.claimedAt], hold[L.agent]
      j[J.token] = token_text(hold[L.fence] + at - hold[L.from], hold[L.random])
    end
  end
  jobs[ref] = rec
  return rec
end

-- `count` held jobs from position `at` on are in the run no longer.
local function leave_hold(run, hold, at, count, chunk)
  local q, gone = run.q, gone_from(run)
  touch_run(run)
  q[R.open] = q[R.open] - count
  hold[L.left] = hold[L.left] - count
  if hold[L.left] == 0 then zrem(OFFERS, slice_of(run, hold[L.from], hold[L.count])) end
  for i = at, at + count - 1 do gone[i] = chunk or true end
  if chunk then q[R.chunks] = q[R.chunks] .. char(at, count) else q[R.done] = q[R.done] .. char(at) end
end

-- It gets a record of its own: something happened to it.
local function leave_run(rec)
  local run = rec.run
  local q = run.q
  rec.left = true
  if rec.hold then
    leave_hold(run, rec.hold, rec.at, 1, false)
  else
    touch_run(run)
    q[R.open] = q[R.open] - 1
    gone_from(run)[rec.at] = true
    q[R.gone] = q[R.gone] .. char(rec.at)
  end
end

-- The next job that waits is the first of those left.
local function skip_gone(q)
  while q[R.gone] ~= '' do
    local at = string.find(q[R.gone], char(q[R.next]), 1, true)
    if not at then return end
    q[R.gone] = sub(q[R.gone], 1, at - 1) .. sub(q[R.gone], at + 1)
    q[R.done] = q[R.done] .. char(q[R.next])
    q[R.next] = q[R.next] + 1
  end
end

-- The input of a job that was in a run, which stands beside the run's record.
local function own_input(rec)
  local run, j = rec.run, rec.j
  if not run or run.q[R.planned] == 1 or j[J.input] ~= '' then return end
  if not run.inputs then
    run.inputs = cmsgpack.unpack(call('HGET', run.key, run_field(run.wid, run.s, run.q[R.from], 'i')))
  end
  j[J.input] = run.inputs[rec.at + 1]
end

-- Writes the record of a run into the fields to write, or takes it away when nobody is left in it.
local function put_run(run, writes, gone)
  local q = run.q
  if q[R.open] == 0 then
    if q[R.planned] == 0 then gone[#gone + 1] = run_field(run.wid, run.s, q[R.from], 'i') end
    if q[R.chunks] == '' then gone[#gone + 1] = run.field return end
  end
  if run.holds then
    local parts = {}
    for i = 1, #run.holds do
      if run.holds[i][L.left] > 0 then parts[#parts + 1] = pack_slice(run.holds[i]) end
    end
    q[R.holds] = concat(parts)
  end
  local size = #writes
  writes[size + 1] = run.field
  writes[size + 2] = pack_run(q)
  if run.made then
    for at, chunk in pairs(run.made) do
      size = size + 2
      writes[size + 1], writes[size + 2] = chunk_field(run, at), pack(chunk)
    end
  end
  if run.new_inputs then
    writes[size + 3] = run_field(run.wid, run.s, q[R.from], 'i')
    writes[size + 4] = run.new_inputs
  end
end
-- end lazy

local function move(rec)
  if not rec.dirty then
    rec.dirty = true
    moved[#moved + 1] = rec
    if rec.run and not rec.left then leave_run(rec) end
  end
end
