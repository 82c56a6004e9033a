/** Where an executor finds its model files: below the folder that the environment names. */
import { join } from 'node:path';
import { MODELS_FOLDER, modelFile } from '../../sdk/executor/models.ts';
import type { Model } from '../../sdk/executor/models.ts';

/** Path by name. */
export function modelPaths(models: readonly Model[]): Readonly<Record<string, string>> {
  if (models.length === 0) return NONE;
  const folder = process.env[MODELS_FOLDER] ?? '';
  return Object.fromEntries(models.map((model) => [model.name, join(folder, modelFile(model))]));
}

const NONE: Readonly<Record<string, string>> = Object.freeze({});
