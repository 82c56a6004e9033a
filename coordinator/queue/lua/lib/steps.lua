-- Heads and their step records: read by index, written back with the events of the call.
local function touch(w)
  if not w.dirty then w.dirty = true touched[#touched + 1] = w end
end

-- Cuts `count` step records apart.
local function cut_steps(raw, count)
  if count == 1 then return {raw} end
  local parts, at = {}, 1
  for i = 1, count do
    local next = at + STEP_FRONT + 4 + sunpack('>I4', raw, at + STEP_FRONT)
    parts[i] = sub(raw, at, next - 1)
    at = next
  end
  return parts
end

local function steps_bytes(c)
  for i, step in pairs(c.open) do c.parts[i] = pack_step(step) end
  return concat(c.parts)
end

-- Step record by index; marks its holder for writing.
local function step_of(w, s)
  touch(w)
  local c, i = w, s + 1
  if s >= STEPS_PER_CHUNK then
    local k = floor(s / STEPS_PER_CHUNK)
    if not w.chunks then w.chunks = {} end
    c, i = w.chunks[k], i - k * STEPS_PER_CHUNK
    if not c then
      c = {raw = call('HGET', w.key, w.wid .. 's' .. k), parts = false, open = false}
      w.chunks[k] = c
    end
    if not c.parts then c.parts = cut_steps(c.raw, math.min(STEPS_PER_CHUNK, w.h[H.stepCount] - k * STEPS_PER_CHUNK)) end
  elseif not c.parts then
    c.parts = cut_steps(c.raw, math.min(STEPS_PER_CHUNK, w.h[H.stepCount]))
  end
  if not c.open then c.open = {} end
  local step = c.open[i]
  if not step then
    step = unpack_step(c.parts[i])
    c.open[i] = step
  end
  return step
end

-- {reason, message, failures} of a step; keep with step[S.notes] = pack(notes).
local function notes_of(step)
  local notes = step[S.notes]
  if notes == '' then return {'', '', {}} end
  return cmsgpack.unpack(notes)
end

-- Steps with facts no decision has seen: 4 bytes each, so that no list is built where there are none.
local function is_dirty(h, s)
  local dirty = h[H.dirty]
  for at = 1, #dirty, 4 do if sunpack('>i4', dirty, at) == s then return true end end
  return false
end

local function add_dirty(h, s)
  if not is_dirty(h, s) then h[H.dirty] = h[H.dirty] .. spack('>i4', s) end
end

local packed_texts = {}
local function packed_text(text)
  local packed = packed_texts[text]
  if not packed then
    packed = pack(text)
    packed_texts[text] = packed
  end
  return packed
end

-- An event is {code, step, ordinal, state, agent, reason, message, data}, trailing ones left out. Small numbers are their
-- own msgpack (-1 is 255): building the bytes costs 0.1 us, packing a table 0.7.
local function event(w, code, s, n, state, agent, reason, message, data)
  touch(w)
  w.evs = w.evs + 1
  w.els = w.els + 1
  if reason == nil and s < 128 and n < 128 then
    if agent == nil then
      w.ev = w.ev .. char(148, code, s % 256, n % 256, state)
    else
      w.ev = w.ev .. char(149, code, s % 256, n % 256, state) .. packed_text(agent)
    end
  else
    w.ev = w.ev .. pack({code, s, n, state, agent, reason, message, data})
  end
end

-- The same event of `count` jobs with consecutive ordinals from n on: one element that counts as many sequence numbers.
local function event_range(w, code, s, n, count, state, agent)
  if count == 1 then event(w, code, s, n, state, agent) return end
  touch(w)
  w.evs = w.evs + count
  w.els = w.els + 1
  w.ev = w.ev .. pack({code, s, n, state, agent or '', '', '', false, count})
end

-- A workflow's head as stored: head, steps, log. Lua hashes every byte of every string it makes (1.5 ns each): so one
-- concatenation, and the reply of a claim takes the very string that was stored.
local function head_bytes(w)
  local packed = w.packed
  if not packed then
    local h, steps = w.h, w.raw
    if w.open then
      steps = steps_bytes(w)
      h[H.stepsBytes] = #steps
    end
    packed = pack_head(h) .. steps .. w.log
    w.packed = packed
  end
  return packed
end
