// Owns the parameters that several routes take.

const application = { type: 'string', minLength: 1, maxLength: 200, description: 'application.id' };

export const OF_APPLICATION = {
  type: 'object',
  properties: { application },
  required: ['application'],
};

export const OF_TASK = {
  type: 'object',
  properties: {
    application,
    task: {
      type: 'string',
      pattern: '^\\d{1,9}_\\d{1,9}$',
      description: 'Sub-topology and partition, such as 0_3.',
    },
  },
  required: ['application', 'task'],
};

export interface ApplicationParams {
  readonly Params: { readonly application: string };
}

export interface TaskParams {
  readonly Params: { readonly application: string; readonly task: string };
}
