-- Solo records: workflows of one plain job in one record (records.ts).
-- Queue entries of solo records name the workflow alone: such an entry is that of a job nothing has happened to yet, and a
-- claim need not read it.
local function member_of_solo(wid, place) return string.format('%010x', place) .. ':' .. wid end

local function is_solo_member(member) return #member == 37 end

local function solo_event(code, s, n, state, agent)
  if agent then return char(149, code, s % 256, n % 256, state) .. pack(agent) end
  return char(148, code, s % 256, n % 256, state)
end

-- Turns a solo record into what every other workflow is: head, step and job, and the log its way implies. Written back
-- only when the call touches it.
local function expand(wid)
  local solo = solos[wid]
  local q = solo.q
  local state = q[Q.state]
  local over = state == ST.succeeded
  local log = '\148' .. pack(1, q[Q.createdAt], q[Q.created]) .. '\147' .. solo_event(EV['workflow.created'], -1, -1, ST.unassigned)
    .. solo_event(EV['step.ready'], 0, -1, ST.unassigned) .. solo_event(EV['job.queued'], 0, 0, ST.unassigned)
  local seq = 3
  if state >= ST.scheduled then
    log = log .. '\148' .. pack(4, q[Q.claimedAt], q[Q.claimed]) .. '\145'
      .. solo_event(EV['job.claimed'], 0, 0, ST.scheduled, q[Q.agent])
    seq = 4
  end
  if over then
    log = log .. '\148' .. pack(5, q[Q.completedAt], q[Q.ended]) .. '\150'
      .. solo_event(EV['workflow.started'], -1, -1, ST.processing) .. solo_event(EV['step.started'], 0, -1, ST.processing)
      .. solo_event(EV['job.started'], 0, 0, ST.processing) .. solo_event(EV['job.succeeded'], 0, 0, ST.succeeded, q[Q.agent])
      .. solo_event(EV['step.succeeded'], 0, -1, ST.succeeded) .. solo_event(EV['workflow.succeeded'], -1, -1, ST.succeeded)
    seq = 10
  end
  local open = over and 0 or 1
  -- In the order of HEAD_FIELDS, STEP_FIELDS and JOB_FIELDS in records.ts.
  local h = {over and 2 or 1, 0, state, seq, 0, -1, 0, 0, 1, open, 1 - open, q[Q.weight], q[Q.createdAt], q[Q.startedAt],
    q[Q.completedAt], 0, q[Q.tenant], q[Q.watch], '', q[Q.requestId], '', '', ''}
  local raw = pack_step({state, 0, 1, 1, 1, open, 1 - open, 0, q[Q.startedAt], q[Q.completedAt], 0, 0, ''})
  h[H.stepsBytes] = #raw
  local w = {wid = wid, key = bucket(wid), h = h, raw = raw, parts = false, open = false, packed = false, log = log, ev = '',
    evs = 0, els = 0, dirty = false, new_plan = false, chunks = false}
  works[wid] = w
  local claimed = state >= ST.scheduled
  local j = {state, state == ST.scheduled and 1 or 0, q[Q.band], 0, claimed and 1 or 0, 0, 1, 0, -1, 0, q[Q.createdAt],
    q[Q.claimedAt], q[Q.startedAt], q[Q.completedAt], q[Q.runMs], q[Q.score], q[Q.cost], over and 1 or -1, q[Q.token], q[Q.agent], q[Q.class],
    member_of_solo(wid, q[Q.place]) .. '-0-0', '', q[Q.output], '', '', '', '', ''}
  local rec = {ref = wid .. '-0-0', w = w, s = 0, n = 0, j = j, dirty = false, entry = not claimed, held = solo.held}
  jobs[rec.ref] = rec
  expanded[#expanded + 1] = rec
  solos[wid] = nil
  return w
end

local soloed = {} -- list of solo records to write
local hdels = {}  -- bucket -> fields to take away
local held_solos = {} -- bucket -> claims to write: field, value

local function touch_solo(solo)
  if not solo.dirty then solo.dirty = true soloed[#soloed + 1] = solo end
end

local function hold_solo(wid, token, agent, tag)
  local key = bucket(wid)
  local list = held_solos[key]
  if not list then list = {} held_solos[key] = list end
  local size = #list
  list[size + 1] = wid .. 'h'
  list[size + 2] = pack_hold({now, token, tag, agent})
end

-- The record says all there is: the claim beside it goes.
local function drop_hold(wid)
  local key = bucket(wid)
  local list = hdels[key]
  if not list then list = {} hdels[key] = list end
  list[#list + 1] = wid .. 'h'
end
