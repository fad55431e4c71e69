// The NestJS module: decorators, explorer, lifecycle, health. The only library that imports @nestjs/*.

export {};
