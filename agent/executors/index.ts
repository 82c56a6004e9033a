/**
 * The executors that come with the agent, by step type, as module paths for the job host.
 *
 * Nothing here imports an executor: the host loads each in a process of its own.
 */
import { fileURLToPath } from 'node:url';

export interface BuiltInExecutor {
  /** Absolute path of its module. */
  readonly module: string;
  /** Safe to enable without asking the owner of the box: it runs nothing a consumer brings along. */
  readonly enabledByDefault: boolean;
}

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

function builtIn(path: string, enabledByDefault = true): BuiltInExecutor {
  return { module: fileURLToPath(new URL(`./${path}${extension}`, import.meta.url)), enabledByDefault };
}

export const BUILT_IN_EXECUTORS: Readonly<Record<string, BuiltInExecutor>> = {
  'value.echo': builtIn('value-echo'),
  'text.split': builtIn('text/split'),
  'text.count': builtIn('text/count'),
  'text.merge': builtIn('text/merge'),
  'image.resize': builtIn('image/resize'),
  'image.upscale': builtIn('image/upscale'),
  'image.montage': builtIn('image/montage'),
  // Arbitrary programs: the owner has to name it.
  command: builtIn('command', false),
};
