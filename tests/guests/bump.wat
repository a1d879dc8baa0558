;; Echoes; caxton_alloc hands out fresh memory each time, growing as it must, and answers 0 when it is refused.
(module
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (func (export "caxton_alloc") (param $size i32) (result i32)
    (local $start i32) (local $lacking i32)
    (local.set $start (global.get $next))
    (local.set $lacking
      (i32.sub (i32.add (local.get $start) (local.get $size)) (i32.shl (memory.size) (i32.const 16))))
    (if (i32.gt_s (local.get $lacking) (i32.const 0))
      (then
        (if (i32.eq (i32.const -1)
              (memory.grow (i32.shr_u (i32.add (local.get $lacking) (i32.const 65535)) (i32.const 16))))
          (then (return (i32.const 0))))))
    (global.set $next (i32.add (local.get $start) (local.get $size)))
    (local.get $start))
  (func (export "handle_message") (param $pointer i32) (param $length i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $pointer)) (i64.const 32))
            (i64.extend_i32_u (local.get $length)))))
