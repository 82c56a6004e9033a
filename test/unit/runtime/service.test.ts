/** Groups of services start in order, stop in reverse, and leave nothing running. */
import { expect, test } from 'vitest';
import { ServiceGroup } from '../../../runtime/service.ts';
import type { Service } from '../../../runtime/service.ts';

function services(events: string[], fails: Record<string, 'start' | 'stop'> = {}): Service[] {
  return ['a', 'b', 'c'].map((name) => {
    const act = (what: 'start' | 'stop') => async (): Promise<void> => {
      events.push(`${what} ${name}`);
      if (fails[name] === what) throw new Error(`${name} cannot ${what}`);
    };
    return { name, start: act('start'), stop: act('stop') };
  });
}

test('in order, and back', async () => {
  const events: string[] = [];
  const group = new ServiceGroup('all', services(events));
  await Promise.all([group.start(), group.start()]);
  await Promise.all([group.stop(), group.stop()]);
  expect(events).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
});

test('one that does not start takes the started ones down', async () => {
  const events: string[] = [];
  const group = new ServiceGroup('all', services(events, { b: 'start' }));
  await expect(group.start()).rejects.toThrow('b did not start: b cannot start');
  expect(events).toEqual(['start a', 'start b', 'stop b', 'stop a']);
  await group.stop();
});

test('one that does not stop does not keep the others', async () => {
  const events: string[] = [];
  const group = new ServiceGroup('all', services(events, { b: 'stop' }));
  await group.start();
  await expect(group.stop()).rejects.toThrow('1 services did not stop cleanly');
  expect(events.slice(3)).toEqual(['stop c', 'stop b', 'stop a']);
});

test('a stop during the start ends it', async () => {
  const events: string[] = [];
  const [a, b, c] = services(events) as [Service, Service, Service];
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const start = (): Promise<void> => {
    begun.resolve();
    return gate.promise;
  };
  const group = new ServiceGroup('all', [a, { name: 'slow', start, stop: b.stop }, c]);
  const starting = group.start();
  await begun.promise;
  const stopping = group.stop();
  gate.resolve();
  await Promise.all([starting, stopping]);
  expect(events).toEqual(['start a', 'stop b', 'stop a']);
});

test('stop before start is fine, and it can start again', async () => {
  const events: string[] = [];
  const group = new ServiceGroup('all', services(events));
  await group.stop();
  await group.start();
  await group.stop();
  await group.start();
  expect(events).toHaveLength(9);
});
