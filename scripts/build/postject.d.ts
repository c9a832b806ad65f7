// What postject exports; it comes without types.
declare module "postject" {
  export function inject(
    filename: string,
    resourceName: string,
    resourceData: Buffer,
    options?: { sentinelFuse?: string },
  ): Promise<void>;
}
