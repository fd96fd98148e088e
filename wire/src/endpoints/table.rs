//! How a table of endpoints is written.

/// Makes the rows of one API, a type for each, and `ALL` of them. `described` ones have schemas for the OpenAPI document.
macro_rules! endpoints {
    (
        $mode:ident below $base:literal;
        $(
            $(#[doc = $about:literal])+
            $name:ident = $id:literal: $who:ident $method:ident $path:literal
            $(, in $tag:literal)? $(, scope $scope:ident)? $(, needs $header:ident)? $(, takes $optional:ident)?
            $(, at $parameter:ty)? $(, by $query:ty)? $(, with $body:ty)?
            => $status:literal $($answer:ty)?;
        )+
    ) => {
        /// What all paths begin with.
        pub const BASE: &str = $base;
        /// All of them.
        pub const ALL: &[$crate::endpoints::Row] = &[$(<$name as $crate::endpoints::Endpoint>::ROW),+];
        $(
            $(#[doc = $about])+
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}

            impl $crate::endpoints::Endpoint for $name {
                type Path = endpoints!(@type $($parameter)?);
                type Query = endpoints!(@type $($query)?);
                type Body = endpoints!(@type $($body)?);
                type Answer = endpoints!(@type $($answer)?);
                const ROW: $crate::endpoints::Row = $crate::endpoints::Row {
                    id: $id,
                    about: &[$($about),+],
                    base: $base,
                    path: $path,
                    method: $crate::endpoints::Method::$method,
                    who: $crate::endpoints::Who::$who,
                    tag: &[$($tag)?],
                    scope: endpoints!(@scope $($scope)?),
                    headers: &[$($header)?],
                    optional_headers: &[$($optional)?],
                    parameter: endpoints!(@$mode $($parameter)?),
                    query: endpoints!(@query $mode $($query)?),
                    body: endpoints!(@$mode $($body)?),
                    status: $status,
                    answer: endpoints!(@$mode $($answer)?),
                };
            }
        )+
    };
    (@scope) => { None };
    (@scope $scope:ident) => { Some($crate::api::Scope::$scope) };
    (@type) => { $crate::endpoints::Nothing };
    (@type $type:ty) => { $type };
    (@described) => { None };
    (@described $type:ty) => { Some($crate::endpoints::Part::described::<$type>(stringify!($type))) };
    (@undescribed) => { None };
    (@undescribed $type:ty) => { Some($crate::endpoints::Part::undescribed(stringify!($type))) };
    (@query described $type:ty) => { Some($crate::endpoints::Part::query::<$type>(stringify!($type))) };
    (@query $mode:ident $($type:ty)?) => { endpoints!(@$mode $($type)?) };
}
