/** Model files an executor names, and what they are called on disk. */

/** A file an executor needs before it can run. */
export interface Model {
  /** What requirements name it by, and `ctx.models`. */
  readonly name: string;
  /** http, https or file. */
  readonly url: string;
  /** Bytes. */
  readonly size?: number;
  /** 64 hex digits. */
  readonly sha256?: string;
}

/** Variable that names the folder of models to whoever runs executors. */
export const MODELS_FOLDER = 'DIBS_MODELS_FOLDER';

/** Name of its file: two versions of a model are two files. */
export function modelFile({ name, sha256 }: Model): string {
  const plain = name.replaceAll(/[^\w.-]/g, '_');
  return sha256 === undefined ? plain : `${plain}-${sha256.slice(0, 16).toLowerCase()}`;
}

/** What is wrong with a list of models; undefined = nothing. */
export function modelProblem(models: unknown): string | undefined {
  if (!Array.isArray(models)) return 'resources.models is a list';
  const names = new Set<string>();
  for (const one of models as Partial<Model>[]) {
    if (typeof one.name !== 'string' || one.name === '' || one.name.length > 200)
      return 'a model has a name of 1 to 200 characters';
    if (names.has(one.name)) return `the model ${one.name} is there twice`;
    names.add(one.name);
    if (!/^(https?|file):\/\//.test(one.url ?? ''))
      return `the model ${one.name} has no http, https or file url`;
    if (one.size !== undefined && !(Number.isSafeInteger(one.size) && one.size > 0))
      return `the size of ${one.name} is a whole number from 1`;
    if (one.sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(one.sha256))
      return `the sha256 of ${one.name} is 64 hex digits`;
  }
  return undefined;
}
