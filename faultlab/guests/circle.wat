;; One of a circle: it tells the next one what it was told, and both numbers are counted up; nothing is said to a failure.
;; Encoding msgpack. Its contents are the number of whoever handles them, four bytes; the next one's name ends with that
;; number in five digits. It knows just the shape in which a worker writes a message with such contents. What follows
;; its comment, and the numbers after `$count`, `$digits` and `$content`, are put in by faultlab/cast.py.
(module
  (memory (export "memory") 3)
  ;; data
  (global $count i32 (i32.const 0))
  (global $digits i32 (i32.const 0))
  (global $content i32 (i32.const 0))
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 131072))
  (func (export "handle_message") (param $at i32) (param $length i32) (result i64)
    (local $letter i32) (local $number i32) (local $place i32)
    ;; The map's head and "performative"; then its value, after a head that says its length.
    (local.set $letter (i32.load8_u offset=15 (local.get $at)))
    (local.set $at (i32.add (local.get $at) (i32.and (i32.load8_u offset=14 (local.get $at)) (i32.const 31))))
    (if (i32.eq (local.get $letter) (i32.const 102)) (then (return (i64.const 0)))) ;; a failure ends here
    (if (i32.ne (i32.load16_u offset=57 (local.get $at)) (i32.const 0x04c4)) (then (unreachable)))
    (local.set $number
      (i32.rem_u (i32.add (i32.load offset=59 (local.get $at)) (i32.const 1)) (global.get $count)))
    (i32.store (global.get $content) (local.get $number))
    (local.set $place (i32.add (global.get $digits) (i32.const 5)))
    (loop $digit
      (local.set $place (i32.sub (local.get $place) (i32.const 1)))
      (i32.store8 (local.get $place) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $digit (i32.gt_u (local.get $place) (global.get $digits))))
    (i64.const 0))) ;; answer
