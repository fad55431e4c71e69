// libs/topology: builder → frozen nodes → checks → sub-topologies → compiled operator chains. It runs nothing.
export * from './plan.ts';
export * from './ports.ts';
