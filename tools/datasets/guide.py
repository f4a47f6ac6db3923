"""How a data card is written, for whoever has to write one. Imports nothing: the server shows it as a resource."""

CARD_GUIDE = """# The data card

A data card says which array feeds which input of the model, what is done to it first, and where the labels are. It
lies beside the data (`X.card.json` for `X.npz` or `X.csv`, `card.json` inside a folder) or is passed in the call; where
there are both, the call's counts and the reply names what differs. Without one, the refusal proposes cards: by what the
model's file says (Ultralytics, PaddleOCR, TFLite metadata), by `preprocessor_config.json` or timm's `config.json`
beside it, else by the shape of its input. None is applied by itself.

```json
{
  "inputs": {
    "image": {
      "kind": "image", "array": "image", "colour": "RGB",
      "resize": {"height": 256, "width": 256, "fit": "shorter_side"},
      "crop": {"height": 224, "width": 224},
      "scale": 0.00392156862745098, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
      "layout": "NCHW", "dtype": "float32"
    }
  },
  "label": "label",
  "classes": ["cat", "dog"]
}
```

The keys of `inputs` are the model's input names. Everything but `inputs` and `kind` may be left out.

- `kind`: `image` for 8-bit pictures, gray or red-green-blue, channels last in the data; `tensor` for other numbers.
- `array`: array of the .npz. Left out for a folder. Default `image`.
- `resize`: `height`, `width`; `fit`: `stretch` (default), `shorter_side` (keeps the aspect ratio, covers the size) or
  `letterbox` (keeps it and fits inside, centred on the value `pad`, default 0); `interpolation`: `nearest`, `bilinear`
  (default) or `bicubic`, with Pillow's antialiasing.
- `crop`: `height`, `width` of the centre that is kept, after resizing.
- `colour`: channels that the model takes: `RGB` (default), `BGR` or `GRAY`.
- `scale`, `mean`, `std`: `(value * scale - mean) / std`. `mean` and `std` are one number, or a list with one a channel
  (image) or element of the last axis (tensor). Defaults 1, 0, 1.
- `layout`: `NCHW` (default) or `NHWC`.
- `dtype`: element type that the model takes. Default `float32`.
- `label`: array of the .npz; column of a text file; `"folder"` for one folder a class; or files inside the folder:
  `{"csv": "labels.csv", "file": "file", "label": "label"}`,
  `{"coco": "annotations.json", "images": "images"}` (with `"marks": "masks"` for the classes inside its outlines,
  polygons or runs; what no outline covers is the class `background`, or does not count),
  `{"yolo": "labels", "images": "images"}`, `{"voc": "Annotations", "images": "JPEGImages"}`, or
  `{"masks": "masks", "images": "images"}` (PNG, one class number a pixel, 255 does not count). Left out where there are
  no labels. Boxes and masks follow their pictures through `resize`.
- `classes`: class names in the order of the model's outputs. Default for class folders: their names, sorted; for COCO:
  its categories by their ids.
- `output`: output that the metric looks at, where the model has several.
- `decoder`: what the outputs mean, where they are no class scores and no plain numbers. Boxes, for map50 and map50-95:
  `{"kind": "yolo-v8"}` (also v9, v11: one output (4 + classes, places)), `{"kind": "yolo-v5"}` (places, 5 + classes),
  `{"kind": "ssd", "boxes": OUTPUT, "scores": OUTPUT, "classes": OUTPUT, "order": "ltrb" | "tlbr" | "centre"}` (with
  `"first": 1` where class 0 is the background),
  `{"kind": "centre", "heatmap": OUTPUT, "sizes": OUTPUT, "offsets": OUTPUT}`; each takes `score` (least, default
  0.001), `most` (300), `units` (`pixels` of the input or `relative`), the first three `overlap` for the suppression.
  A class a pixel, for miou: `{"kind": "segmentation", "classes": "first" | "last"}` (of a
  single score, 1 from `threshold` on). Text, for cer and wer:
  `{"kind": "ctc", "alphabet": "abc...", "blank": 0}`. Tags, for tag-accuracy: `{"kind": "tags"}`. One that the operator
  installed: `{"kind": "installed", "name": NAME, "answers": "boxes"}`.
- `audio`: for a folder of WAV or FLAC files, `{"rate": 16000, "length": 16000}`; feeds the array `audio`, float32.
- `text`: for a .csv, .jsonl or .parquet file, `{"column": "text", "tokenizer": "tokenizer.json", "length": 128}`; feeds
  the arrays `ids`, `mask` and `types`, int64.

Data is an .npz file or a folder of .npy files (one row a sample in each array), a folder of pictures (PNG, JPEG, BMP,
WebP, PPM), at most one folder deep, a folder of sounds, or a file of texts. A model with several inputs takes one array
for each; a state that it is given is such an array. Boxes in an array are ragged rows of class, left, top, right,
bottom in pixels of the picture. Samples of different shapes are stored as two arrays: `NAME`, all of them flattened one
after the other, and `NAME.shapes`, int64, one row a sample. Pictures are decoded as stored: an orientation in EXIF is
not applied, and transparency is dropped.

How families usually want their pictures; the echo and the baseline decide:

| family | card |
|---|---|
| torchvision | `shorter_side` 256, `crop` 224, `scale` 1/255, ImageNet's `mean` and `std` as above, `NCHW` |
| Keras MobileNet, Inception | `stretch`, `scale` 1/255, `mean` 0.5, `std` 0.5, `NHWC` |
| Keras EfficientNet, MobileNetV3 | `stretch`, 0 to 255 as it is, `NHWC` |
| Keras ResNet, VGG; Caffe | `stretch`, `BGR`, `mean` [103.939, 116.779, 123.68], `NHWC` |
| YOLO | `letterbox` with `pad` 114, `scale` 1/255, `NCHW` |
| MediaPipe | `letterbox` or `stretch`, `scale` 1/255, `NHWC` |
"""
