-- Writes what the call touched. `tag` names the commit in cursors, `origin` the coordinator that called.
local function flush(tag, origin)
  -- One record becomes two: both are written, or neither.
  for i = 1, #expanded do
    local rec = expanded[i]
    if rec.dirty or rec.w.dirty then
      local j = rec.j
      touch(rec.w)
      move(rec)
      if rec.held then drop_hold(rec.w.wid) end
      if rec.entry then
        zrem(P .. 'q:' .. j[J.class], sub(j[J.member], 1, -5))
        if is_counting() then zrem(cap_key(rec.w.h[H.tenant]), sub(j[J.member], 1, -5) .. '|' .. j[J.class]) end
        if j[J.state] == ST.unassigned and j[J.hold] == 0 then zadd(P .. 'q:' .. j[J.class], j[J.score], j[J.member]) end
      end
    end
  end
  for i = 1, #moved do
    local rec = moved[i]
    if rec.run then
      if rec.j[J.state] ~= ST.succeeded then own_input(rec) end
      -- Held still, but no longer as a part of its slice.
      if rec.j[J.hold] == 1 then
        local lapses = call('ZSCORE', OFFERS, slice_of(rec.run, rec.hold[L.from], rec.hold[L.count]))
        zadd(OFFERS, tonumber(lapses or now), rec.ref)
      end
    end
  end
  for i = 1, #zrem_keys do bulk('ZREM', zrem_keys[i], zrems[zrem_keys[i]]) end
  for i = 1, #zadd_keys do bulk('ZADD', zadd_keys[i], zadds[zadd_keys[i]]) end
  local writes, order = {}, {}
  for key, list in pairs(held_solos) do
    writes[key] = list
    order[#order + 1] = key
  end
  local stamp = pack(now, tag)
  for i = 1, #soloed do
    local solo = soloed[i]
    local key = bucket(solo.wid)
    local list = writes[key]
    if not list then list = {} writes[key] = list order[#order + 1] = key end
    local size = #list
    list[size + 1] = solo.wid
    list[size + 2] = pack_solo(solo.q)
    if solo.held then drop_hold(solo.wid) end
    if solo.new_plan then
      list[size + 3] = solo.wid .. 'p'
      list[size + 4] = solo.new_plan
    end
    local watch = solo.q[Q.watch]
    if watch ~= '' and watch ~= origin then bus_any = true bus_works[#bus_works + 1] = solo.wid end
  end
  for i = 1, #moved do
    local rec = moved[i]
    local key = rec.w.key
    local list = writes[key]
    if not list then list = {} writes[key] = list order[#order + 1] = key end
    local size = #list
    list[size + 1] = rec.ref
    list[size + 2] = pack_job(rec.j)
  end
  for i = 1, #touched do
    local w = touched[i]
    local h, key = w.h, w.key
    if w.evs > 0 then
      w.log = w.log .. '\148' .. pack(h[H.seq] + 1) .. stamp .. list_header(w.els) .. w.ev
      h[H.seq] = h[H.seq] + w.evs
      if #w.log > INLINE_EVENT_BYTES then
        call('RPUSH', P .. 'e:' .. w.wid, w.log)
        h[H.listed] = h[H.listed] + 1
        w.log = ''
      end
      local watch = h[H.watch]
      if watch ~= '' and watch ~= origin then bus_any = true bus_works[#bus_works + 1] = w.wid end
    end
    local list = writes[key]
    if not list then list = {} writes[key] = list order[#order + 1] = key end
    local size = #list
    list[size + 1] = w.wid
    list[size + 2] = head_bytes(w)
    if w.new_plan then
      list[size + 3] = w.wid .. 'p'
      list[size + 4] = w.new_plan
    end
    if w.chunks then
      for k, c in pairs(w.chunks) do
        size = #list
        list[size + 1] = w.wid .. 's' .. k
        list[size + 2] = c.open and steps_bytes(c) or concat(c.parts)
      end
    end
  end
  for i = 1, #dirty_runs do
    local run = dirty_runs[i]
    local key = run.key
    local list, gone = writes[key], hdels[key]
    if not list then list = {} writes[key] = list order[#order + 1] = key end
    if not gone then gone = {} hdels[key] = gone end
    put_run(run, list, gone)
  end
  for i = 1, #order do bulk('HSET', order[i], writes[order[i]]) end
  for key, list in pairs(hdels) do bulk('HDEL', key, list) end
  if bus_any or #told > 0 then
    call('SPUBLISH', P .. 'bus', cjson.encode({origin, bus_works, bus_wakes, told, bus_classes}))
  end
end
