import fc from 'fast-check';
import { expect, it } from 'vitest';
import { toPixels } from '../../../agent/executors/image/region.ts';
import { labelSvg, layOut } from '../../../agent/executors/image/sheet-layout.ts';

it('tells shares from pixels', () => {
  expect(toPixels({ left: 0.5, top: 0, width: 0.5, height: 1 }, 100, 50)).toEqual({
    left: 50,
    top: 0,
    width: 50,
    height: 50,
  });
  expect(toPixels({ left: 10, top: 0, width: 5, height: 1 }, 100, 50)).toEqual({
    left: 10,
    top: 0,
    width: 5,
    height: 1,
  });
  expect(toPixels({ left: 0, top: 0, width: 1, height: 1, unit: 'pixels' }, 100, 50)).toMatchObject({
    width: 1,
    height: 1,
  });
});

it('refuses regions outside the image', () => {
  expect(() => toPixels({ left: 90, top: 0, width: 20, height: 5 }, 100, 50)).toThrow(
    'does not lie within the image of 100 × 50',
  );
  expect(() => toPixels({ left: 0, top: 0, width: 0.001, height: 1 }, 100, 50)).toThrow('does not lie');
});

it('relative tiles cover the image without seams', () => {
  fc.assert(
    fc.property(fc.integer({ min: 8, max: 5000 }), fc.integer({ min: 1, max: 8 }), (side, tiles) => {
      const parts = Array.from({ length: tiles }, (_, i) =>
        toPixels({ left: i / tiles, top: 0, width: 1 / tiles, height: 1 }, side, side),
      );
      let next = 0;
      for (const { left, width } of parts) {
        expect(left).toBe(next);
        next = left + width;
      }
      expect(next).toBe(side);
    }),
  );
});

it('lays tiles out row by row', () => {
  const sheet = layOut({ count: 5, columns: 3, tileWidth: 10, tileHeight: 20, gap: 2, labelHeight: 5 });
  expect(sheet).toMatchObject({ width: 38, height: 56 });
  expect(sheet.places[4]).toEqual({ left: 14, top: 29 });
  expect(
    layOut({ count: 1, columns: 4, tileWidth: 10, tileHeight: 10, gap: 0, labelHeight: 0 }),
  ).toMatchObject({ width: 10, height: 10 });
});

it('labels are text, never markup', () => {
  expect(labelSvg('<a href="x">&', 100, 20)).toContain('>&#60;a href=&#34;x&#34;&#62;&#38;</text>');
});
