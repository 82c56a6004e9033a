-- Reading records, each at most once a call.

-- A workflow that was read, and the claim beside it; nil while it stays a solo record.
local function work_of(wid, raw, hold)
  local w = works[wid]
  if w == nil and not solos[wid] then
    if not raw then works[wid] = false return false end
    if string.byte(raw) == SOLO_MARK then
      local q = unpack_solo(raw)
      if hold and q[Q.state] == ST.unassigned then
        local k = unpack_hold(hold)
        q[Q.state], q[Q.claimedAt], q[Q.token], q[Q.claimed], q[Q.agent] = ST.scheduled, k[K.claimedAt], k[K.token],
          k[K.claimed], k[K.agent]
      end
      solos[wid] = {wid = wid, q = q, dirty = false, held = hold}
      return nil
    end
    local h = unpack_head(raw)
    local steps_at = h[H.END]
    local log_at = steps_at + h[H.stepsBytes]
    w = {wid = wid, key = bucket(wid), h = h, raw = sub(raw, steps_at, log_at - 1), parts = false, open = false, packed = false,
      log = sub(raw, log_at), ev = '', evs = 0, els = 0, dirty = false, new_plan = false, chunks = false}
    works[wid] = w
  end
  return w
end

local function load_work(wid)
  local w = works[wid]
  if w ~= nil then return w end
  if not solos[wid] then
    local r = call('HMGET', bucket(wid), wid, wid .. 'h')
    w = work_of(wid, r[1], r[2])
  end
  if solos[wid] then return expand(wid) end
  return w
end

local function job_of(ref, w, s, n, raw)
  if not raw then
    local run = load_run(w.wid, s, n)
    local rec = run and job_in_run(run, ref, w, s, n)
    if not rec then jobs[ref] = false end
    return rec or false
  end
  local rec = {ref = ref, w = w, s = s, n = n, j = unpack_job(raw), dirty = false}
  jobs[ref] = rec
  return rec
end

-- The job and its workflow in one read; false when either is gone.
local function load_job(ref)
  local rec = jobs[ref]
  if rec ~= nil then return rec end
  local wid, s, n = split_ref(ref)
  if not wid then jobs[ref] = false return false end
  if solos[wid] then
    expand(wid)
    rec = jobs[ref]
    if rec ~= nil then return rec end
  end
  local w = works[wid]
  if w == nil then
    local r = call('HMGET', bucket(wid), ref, wid, wid .. 'h')
    w = work_of(wid, r[2], r[3])
    if solos[wid] then
      w = expand(wid)
      rec = jobs[ref]
      if rec ~= nil then return rec end
    end
    if not w then jobs[ref] = false return false end
    return job_of(ref, w, s, n, r[1])
  end
  if not w then jobs[ref] = false return false end
  return job_of(ref, w, s, n, call('HGET', bucket(wid), ref))
end

-- Jobs of one bucket, each {ref, workflow, step, ordinal}, that have no record of their own.
local function find_in_runs(key, list)
  local names, first = {}, {}
  for i = 1, #list do
    local it = list[i]
    local field = run_field(it[2].wid, it[3], it[4], 'r')
    if runs[field] == nil and not first[field] then
      first[field] = it
      names[#names + 1] = field
    end
  end
  if #names > 0 then
    local found = call('HMGET', key, unpack(names))
    for i = 1, #names do
      local it = first[names[i]]
      run_of(it[2].wid, it[3], it[4], found[i])
    end
  end
  for i = 1, #list do
    local it = list[i]
    job_of(it[1], it[2], it[3], it[4], false)
  end
end

-- Reads the records of many jobs with one call per bucket; load_job then finds them. Item i's ref begins at `from`.
local function prefetch(refs)
  local fields, order, asked, asked_works = {}, {}, {}, {}
  for i = 1, #refs do
    local ref = refs[i]
    if jobs[ref] == nil and not asked[ref] then
      asked[ref] = true
      local wid = sub(ref, 1, 26)
      local key = bucket(wid)
      local list = fields[key]
      if not list then list = {} fields[key] = list order[#order + 1] = key end
      local size = #list
      list[size + 1] = ref
      if works[wid] == nil and not solos[wid] and not asked_works[wid] then
        asked_works[wid] = true
        list[size + 2] = wid
        -- Only a first job may be a solo record's.
        if sub(ref, 27) == '-0-0' then size = size + 1 list[size + 2] = wid .. 'h' end
      end
    end
  end
  for i = 1, #order do
    local key = order[i]
    local list = fields[key]
    local found = call('HMGET', key, unpack(list))
    local k, size = 1, #list
    local lost = false -- without a record: their runs are read together
    while k <= size do
      local ref, raw = list[k], found[k]
      local wid, s, n = split_ref(ref)
      k = k + 1
      if k <= size and #list[k] == 26 then
        local first = sub(ref, 27) == '-0-0'
        work_of(list[k], found[k], first and found[k + 1])
        k = k + (first and 2 or 1)
      end
      local w = wid and works[wid]
      if w and raw then
        job_of(ref, w, s, n, raw)
      elseif w then
        if not lost then lost = {} end
        lost[#lost + 1] = {ref, w, s, n}
      elseif w == false then
        jobs[ref] = false
      end
    end
    if lost then find_in_runs(key, lost) end
  end
end

local function prefetch_items(items)
  local refs = {}
  for i = 1, #items do refs[i] = items[i][1] end
  prefetch(refs)
end
